//! `wg` with its standard input closed.

use std::path::Path;

use super::Scene;
use crate::stage::PROGRAMS;

#[test]
fn closed_input_is_no_empty_file() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", |_| panic!("nothing is sent"));
    let program = Path::new(PROGRAMS).join("wg");
    let program = program.display();
    for command in [
        "setconf wg0 /dev/stdin",
        "syncconf wg0 /dev/fd/0",
        "set wg0 private-key /proc/self/fd/0",
    ] {
        let line = format!("{program} {command} <&-");
        let outcome = scene.run(&["/bin/sh", "-c", &line]);
        assert_eq!(outcome.exit, 1, "{command}: {outcome:?}");
        let said = "fopen: No such file or directory\n";
        assert_eq!(outcome.stderr, said, "{command}");
    }
}
