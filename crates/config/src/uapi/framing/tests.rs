use proptest::prelude::*;

use super::*;

/// Runs reads through a framing in which every set line `bad…` and every long line fails,
/// and writes the steps down.
fn steps(reads: &[&[u8]], eof: bool) -> Vec<String> {
    let mut framing = Framing::new();
    let mut said = Vec::new();
    for read in reads {
        let mut input = *read;
        while let Some(step) = framing.next(&mut input) {
            let (text, fails) = describe(step);
            let closed = step == Step::Close;
            said.push(text);
            if closed {
                return said;
            }
            if fails {
                framing.fail();
            }
        }
    }
    while let Some(step) = framing.end().filter(|_| eof) {
        let (text, fails) = describe(step);
        said.push(text);
        if fails {
            framing.fail();
        }
    }
    said
}

fn describe(step: Step<'_>) -> (String, bool) {
    match step {
        Step::SetLine(line) => (
            String::from_utf8_lossy(line).into_owned(),
            line.starts_with(b"bad"),
        ),
        Step::LineTooLong => ("LineTooLong".to_owned(), true),
        Step::Ask(question) => (format!("{question:?}"), false),
        other => (format!("{other:?}"), false),
    }
}

fn open(reads: &[&[u8]]) -> Vec<String> {
    steps(reads, false)
}

#[test]
fn gets_and_sets_follow_each_other_in_one_read() {
    assert_eq!(
        open(&[b"set=1\na=1\n\nget=1\n\nget=1\n\nset=1\n\n"]),
        [
            "SetBegin", "a=1", "SetEnd", "Get", "Get", "SetBegin", "SetEnd"
        ]
    );
}

#[test]
fn what_is_no_operation_closes() {
    for bad in [
        "get=2\n\n",
        "status=2\n\n",
        "foo=1\n",
        "\n",
        "get=1\r\n\r\n",
        " get=1\n",
        "GET=1\n",
        "get\n",
        "\0\n",
    ] {
        assert_eq!(open(&[bad.as_bytes()]), ["Close"], "{bad:?}");
    }
}

#[test]
fn a_get_wants_an_empty_line_at_once() {
    assert!(open(&[b"get=1\n"]).is_empty());
    assert_eq!(open(&[b"get=1\nfoo\n\n"]), ["BadQuestion", "Close"]);
    assert_eq!(open(&[b"get=1\nf"]), ["BadQuestion", "Close"]);
}

#[test]
fn a_status_is_a_question_as_a_get_is() {
    let told = ["Status", "Get", "SetBegin", "SetEnd", "Status"];
    assert_eq!(
        open(&[b"status=1\n\nget=1\n\nset=1\n\nsta", b"tus=1\n", b"\n"]),
        told
    );
    assert_eq!(open(&[b"status=1\nx"]), ["BadQuestion", "Close"]);
    assert_eq!(
        open(&[b"set=1\nbad\n", b"status=1\n\n"]),
        ["SetBegin", "bad", "Status"]
    );
    assert_eq!(
        open(&[b"set=1\nstatus=1\n\n"]),
        ["SetBegin", "status=1", "SetEnd"]
    );
}

#[test]
fn the_end_of_the_stream_ends_a_set() {
    assert_eq!(
        steps(&[b"set=1\na=1\n"], true),
        ["SetBegin", "a=1", "SetEnd"]
    );
    assert_eq!(steps(&[b"set=1\na=1"], true), ["SetBegin", "a=1", "SetEnd"]);
    assert_eq!(
        steps(&[b"set=1\na=", b"1"], true),
        ["SetBegin", "a=1", "SetEnd"]
    );
    assert_eq!(steps(&[b"set=1\nbad"], true), ["SetBegin", "bad"]);
    assert!(steps(&[b"get=1\n"], true).is_empty());
    assert!(steps(&[b"set=1"], true).is_empty());
    assert!(steps(&[b""], true).is_empty());
}

#[test]
fn an_operation_has_begun_with_its_first_byte_and_ends_with_its_last() {
    let mut framing = Framing::new();
    let mut has_begun = |bytes: &[u8]| {
        let mut input = bytes;
        while framing.next(&mut input).is_some() {}
        framing.has_begun()
    };
    assert!(!has_begun(b""));
    for (bytes, expected) in [
        ("g", true),
        ("et=1", true),
        ("\n", true),
        ("\n", false),
        ("set=1\n", true),
        ("a=1\n", true),
        ("b", true),
        ("=1\n", true),
        ("\nstatus=1\n\n", false),
        ("get=1\n\ns", true),
    ] {
        assert_eq!(has_begun(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn a_failed_set_that_had_come_whole_leaves_the_connection_open() {
    let told = ["SetBegin", "bad", "Get"];
    assert_eq!(open(&[b"set=1\nbad\nx=1\n\nget=1\n\n"]), told);
    assert_eq!(open(&[b"set=1\nbad\nx=1\n\n", b"get=1\n\n"]), told);
    assert_eq!(open(&[b"set=1\nbad\nget=1\n\n", b"get=1\n\n"]), told);
}

#[test]
fn the_rest_of_a_failed_set_coming_late_closes_at_its_end() {
    let told = ["SetBegin", "bad", "Close"];
    assert_eq!(
        open(&[b"set=1\nbad\n", b"listen_port=9\n\n", b"get=1\n\n"]),
        told
    );
    assert_eq!(open(&[b"set=1\nbad\n", b"\n"]), told);
    assert_eq!(open(&[b"set=1\nbad\n", b"a=1\n", b"a=1\n"]), told[..2]);
}

#[test]
fn an_operation_after_a_failed_set_is_answered() {
    assert_eq!(
        open(&[b"set=1\nbad\n", b"get=1\n\n"]),
        ["SetBegin", "bad", "Get"]
    );
    assert_eq!(
        open(&[b"set=1\nbad\n", b"set=1\na=1\n\n"]),
        ["SetBegin", "bad", "SetBegin", "a=1", "SetEnd"]
    );
}

#[test]
fn the_longest_line_and_one_longer() {
    for over in [0, 1] {
        let long = vec![b'x'; LINE_LIMIT + over];
        let text = [b"set=1\n", &long[..], b"\nc=1\n\n"].concat();
        let told = open(&[&text]);
        if over == 0 {
            assert_eq!(told[1].len(), LINE_LIMIT);
            assert_eq!(told[2..], ["c=1", "SetEnd"]);
        } else {
            assert_eq!(told, ["SetBegin", "LineTooLong"]);
        }
    }
}

#[test]
fn an_endless_line_is_not_kept() {
    let piece = [b'x'; 4096];
    let mut framing = Framing::new();
    let mut input: &[u8] = b"set=1\n";
    assert_eq!(framing.next(&mut input), Some(Step::SetBegin));
    let mut long = 0;
    for _ in 0..1000 {
        let mut input = &piece[..];
        while let Some(step) = framing.next(&mut input) {
            assert_eq!(step, Step::LineTooLong);
            long += 1;
            framing.fail();
        }
        assert!(framing.line.partial.as_bytes().len() <= LINE_LIMIT);
    }
    assert_eq!(long, 1);
    let mut input: &[u8] = b"\nget=1\n\n";
    assert_eq!(framing.next(&mut input), Some(Step::Ask(Question::Get)));
}

#[test]
fn an_endless_operation_closes() {
    assert_eq!(open(&[&[b'x'; LINE_LIMIT + 1]]), ["Close"]);
}

proptest! {
    /// Without failures, how the stream was cut into reads changes nothing.
    #[test]
    fn segmentation_means_nothing(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["get=1\n", "set=1\n", "status=1\n", "\n", "a=1\n", "b", "get=1\n\n", "\r"]), 0..12),
        cuts in prop::collection::vec(0..64_usize, 0..8),
    ) {
        let text = pieces.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut reads = Vec::new();
        let mut from = 0;
        for cut in cuts {
            reads.push(&text[from..cut]);
            from = cut;
        }
        reads.push(&text[from..]);
        prop_assert_eq!(steps(&reads, true), steps(&[&text], true));
    }

    #[test]
    fn no_bytes_panic(reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        steps(&reads, true);
    }
}
