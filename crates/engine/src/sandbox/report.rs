//! How far each layer of the sandbox went.

use std::fmt;

/// A layer of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A user of its own.
    User,
    /// No capability but what the work needs.
    Capabilities,
    /// No new privileges, whatever is executed.
    NoNewPrivileges,
    /// No files (Landlock).
    Files,
    /// No system calls but what the work needs (seccomp).
    Calls,
}

impl Layer {
    /// All of them, in the order in which they come into force.
    pub const ALL: [Self; 5] = [
        Self::User,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::Files,
        Self::Calls,
    ];

    /// What it is called where states are shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Files => "landlock",
            Self::Calls => "seccomp",
        }
    }
}

/// How far a layer went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// In force; with what that means.
    On(String),
    /// In force as far as the system can; with what is missing.
    Partial(String),
    /// Not asked for.
    Off(&'static str),
    /// Asked for and not there; with the reason.
    Missing(String),
}

impl LayerState {
    /// Of several threads, the one that went least far counts.
    const fn rank(&self) -> u8 {
        match self {
            Self::On(_) => 0,
            Self::Partial(_) => 1,
            Self::Off(_) => 2,
            Self::Missing(_) => 3,
        }
    }
}

impl LayerState {
    /// The state in a word, and what there is to say about it, which may be nothing.
    #[must_use]
    pub const fn words(&self) -> (&'static str, &str) {
        match self {
            Self::On(detail) => ("on", detail.as_str()),
            Self::Partial(detail) => ("partial", detail.as_str()),
            Self::Off(detail) => ("off", detail),
            Self::Missing(detail) => ("missing", detail.as_str()),
        }
    }
}

/// `on (CAP_NET_ADMIN)`, `off (--sandbox off)`.
impl fmt::Display for LayerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            (word, "") => f.write_str(word),
            (word, detail) => write!(f, "{word} ({detail})"),
        }
    }
}

/// How far each layer went. A layer that nothing was heard of is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report([Option<LayerState>; Layer::ALL.len()]);

impl Report {
    pub(super) fn note(&mut self, layer: Layer, state: LayerState) {
        let slot = &mut self.0[layer as usize];
        let is_worse = |known: &LayerState| known.rank() <= state.rank();
        // To be off is where a layer begins, not a thread that went less far.
        if slot
            .as_ref()
            .is_none_or(|known| is_worse(known) || matches!(known, LayerState::Off(_)))
        {
            *slot = Some(state);
        }
    }

    /// The layers with their states.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &LayerState)> {
        let states = Layer::ALL.into_iter().zip(&self.0);
        states.filter_map(|(layer, state)| Some((layer, state.as_ref()?)))
    }
}

/// `user off (no --user); capabilities on (CAP_NET_ADMIN); …`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (layer, state)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} {state}", layer.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_that_went_least_far_counts() {
        let mut report = Report::default();
        report.note(Layer::Files, LayerState::On("all".to_owned()));
        report.note(Layer::Files, LayerState::Missing("no kernel".to_owned()));
        report.note(Layer::Files, LayerState::On("all".to_owned()));
        assert_eq!(report.to_string(), "landlock missing (no kernel)");
    }

    #[test]
    fn a_layer_that_was_off_can_come_on() {
        let mut report = Report::default();
        report.note(Layer::User, LayerState::Off("no --user"));
        report.note(Layer::User, LayerState::On("nobody".to_owned()));
        report.note(Layer::Capabilities, LayerState::On(String::new()));
        assert_eq!(report.to_string(), "user on (nobody); capabilities on");
    }
}
