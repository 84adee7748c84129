//! The results as a table for people and as JSON for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::candidate::Candidate;
use super::metric::{Metric, Samples};

/// A table of medians, one line a metric, with hushwired's ratio to wireguard-go and to the best peer.
pub(crate) fn table(samples: &Samples, metrics: &[Metric], candidates: &[Candidate]) -> String {
    let mut text = format!("{:<33}{:>12}", "", "");
    for candidate in candidates {
        let _ = write!(text, "{:>14}", candidate.name());
    }
    let _ = writeln!(text, "{:>8}{:>10}", "x go", "x best");
    for &metric in metrics {
        let _ = write!(text, "{:<33}{:>12}", metric.title(), metric.unit());
        for &candidate in candidates {
            let _ = write!(text, "{:>14}", figure(samples.median(metric, candidate)));
        }
        let (go, best) = ratios(samples, metric);
        let _ = writeln!(text, "{:>8}{:>10}", figure(go), figure(best));
    }
    text.push_str(
        "x go, x best: hushwired's median over wireguard-go's, over the best peer's; \
                   of times and of memory less is better\n",
    );
    text
}

/// All samples, medians and ratios.
pub(crate) fn json(
    samples: &Samples,
    metrics: &[Metric],
    candidates: &[Candidate],
    run: &Value,
) -> Value {
    let metrics: Vec<Value> = metrics
        .iter()
        .map(|&metric| {
            let results: Map<String, Value> = candidates
                .iter()
                .map(|&candidate| {
                    let result = json!({
                        "median": samples.median(metric, candidate),
                        "samples": samples.of(metric, candidate),
                    });
                    (candidate.name().to_owned(), result)
                })
                .collect();
            let (go, best) = ratios(samples, metric);
            json!({
                "metric": metric.key(),
                "unit": metric.unit(),
                "more_is_better": metric.more_is_better(),
                "results": results,
                "hushwired_over_wireguard_go": go,
                "hushwired_over_best_peer": best,
            })
        })
        .collect();
    json!({ "run": run, "metrics": metrics })
}

fn ratios(samples: &Samples, metric: Metric) -> (Option<f64>, Option<f64>) {
    let ours = samples.median(metric, Candidate::Hushwired);
    let over = |theirs: Option<f64>| match (ours, theirs) {
        (Some(ours), Some(theirs)) if theirs > 0.0 => Some(ours / theirs),
        _ => None,
    };
    (
        over(samples.median(metric, Candidate::WireguardGo)),
        over(samples.best_peer(metric)),
    )
}

/// Three significant figures or so; a dash where nothing was measured.
fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Samples {
        let mut samples = Samples::default();
        samples.add(Metric::TcpOne, Candidate::Hushwired, 6.0);
        samples.add(Metric::TcpOne, Candidate::WireguardGo, 3.0);
        samples.add(Metric::TcpOne, Candidate::Gotatun, 4.0);
        samples
    }

    #[test]
    fn the_table_shows_medians_ratios_and_dashes() {
        let text = table(
            &samples(),
            &[Metric::TcpOne, Metric::Ping],
            &[
                Candidate::Hushwired,
                Candidate::WireguardGo,
                Candidate::Gotatun,
            ],
        );
        let line = text
            .lines()
            .find(|line| line.starts_with("TCP, one stream "))
            .expect("the line");
        let words: Vec<&str> = line.split_whitespace().skip(4).collect();
        assert_eq!(words, ["6.00", "3.00", "4.00", "2.00", "1.50"]);
        let ping = text
            .lines()
            .find(|line| line.starts_with("ping"))
            .expect("the line");
        assert!(ping.ends_with('-'));
    }

    #[test]
    fn the_json_holds_samples_and_ratios() {
        let value = json(
            &samples(),
            &[Metric::TcpOne, Metric::Ping],
            &[Candidate::Hushwired],
            &json!({}),
        );
        assert_eq!(
            value.pointer("/metrics/0/results/hushwired/samples/0"),
            Some(&json!(6.0))
        );
        assert_eq!(
            value.pointer("/metrics/0/hushwired_over_best_peer"),
            Some(&json!(1.5))
        );
        assert_eq!(
            value.pointer("/metrics/1/hushwired_over_wireguard_go"),
            Some(&Value::Null)
        );
    }
}
