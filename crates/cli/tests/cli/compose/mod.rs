//! The Compose file of the examples: what can be said of it without Docker.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use yaml_rust2::{Yaml, YamlLoader};

/// All keys of a service that the example uses. What is not here is a slip of the pen, or needs a check.
const KEYS: [&str; 15] = [
    "build",
    "cap_add",
    "cap_drop",
    "command",
    "depends_on",
    "devices",
    "healthcheck",
    "image",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "sysctls",
    "tmpfs",
    "volumes",
];

/// The Compose file and the folder it is in.
pub(crate) struct Compose {
    folder: PathBuf,
    services: Vec<(String, Yaml)>,
}

impl Compose {
    pub(crate) fn read(folder: PathBuf) -> Self {
        let text = fs::read_to_string(folder.join("compose.yaml")).unwrap();
        let documents = YamlLoader::load_from_str(&text).unwrap();
        assert_eq!(documents.len(), 1);
        let file = documents[0].as_hash().unwrap();
        let top: Vec<_> = file.keys().map(|key| key.as_str().unwrap()).collect();
        assert_eq!(top, ["services"]);
        let services = documents[0]["services"].as_hash().unwrap();
        let services = services
            .iter()
            .map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone()))
            .collect();
        Self { folder, services }
    }

    /// The words after `hushwire`, with which a service starts.
    pub(crate) fn command(&self, service: &str) -> Vec<String> {
        strings(&self.service(service)["command"])
    }

    /// The kernel parameters that a service is given.
    pub(crate) fn sysctls(&self, service: &str) -> Vec<(String, String)> {
        let Some(table) = self.service(service)["sysctls"].as_hash() else {
            return Vec::new();
        };
        let text = |value: &Yaml| value.as_str().unwrap().to_owned();
        table
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    fn service(&self, name: &str) -> &Yaml {
        let found = self.services.iter().find(|service| service.0 == name);
        &found.unwrap_or_else(|| panic!("no service {name}")).1
    }

    /// Asserts that the file is one that Compose takes and `hushwire run` can live with.
    pub(crate) fn assert_sound(&self) {
        let names: BTreeSet<_> = self
            .services
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, BTreeSet::from(["client", "relay"]));
        for (name, service) in &self.services {
            for key in service.as_hash().unwrap().keys() {
                assert!(KEYS.contains(&key.as_str().unwrap()), "{name}: {key:?}");
            }
            assert_eq!(service["image"].as_str(), Some("hushwire"), "{name}");
            assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
            assert_eq!(strings(&service["cap_add"]), ["NET_ADMIN"], "{name}");
            assert_eq!(strings(&service["devices"]), ["/dev/net/tun"], "{name}");
            assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
            assert_eq!(strings(&service["tmpfs"]), ["/run"], "{name}");
            let healthcheck = strings(&service["healthcheck"]["test"]);
            assert_eq!(healthcheck, ["CMD", "hushwire", "show", "wg0"], "{name}");
            self.assert_configured(name, service);
            if let Some(needed) = service["depends_on"].as_hash() {
                for key in needed.keys() {
                    assert!(names.contains(key.as_str().unwrap()), "{name}: {key:?}");
                }
            }
        }
        self.assert_published();
        self.assert_built();
    }

    /// The folder with the service's configuration is where its command looks for it, and may not be written.
    fn assert_configured(&self, name: &str, service: &Yaml) {
        let volumes = strings(&service["volumes"]);
        assert_eq!(volumes, [format!("./{name}:/etc/wireguard:ro")]);
        let file = self.command(name).pop().unwrap();
        let file = file.strip_prefix("/etc/wireguard/").unwrap();
        assert!(
            self.folder.join(name).join(file).is_file(),
            "{name}: {file}"
        );
    }

    /// The port that is published is the one on which the relay listens.
    fn assert_published(&self) {
        let text = fs::read_to_string(self.folder.join("relay/wg0.conf")).unwrap();
        let port = text
            .lines()
            .find_map(|line| line.strip_prefix("ListenPort = "))
            .unwrap();
        let published = strings(&self.service("relay")["ports"]);
        assert_eq!(published, [format!("{port}:{port}/udp")]);
    }

    /// The image is built by a file that is there, from the whole workspace, and starts `hushwire`.
    fn assert_built(&self) {
        let build = &self.service("relay")["build"];
        let context = self.folder.join(build["context"].as_str().unwrap());
        assert!(context.join("Cargo.lock").is_file(), "{context:?}");
        let recipe = context.join(build["dockerfile"].as_str().unwrap());
        let recipe = fs::read_to_string(recipe).unwrap();
        assert!(recipe.contains("\nENTRYPOINT [\"hushwire\"]\n"), "{recipe}");
    }
}

/// A list of texts; a number or a truth value among them is a mistake, for Compose wants texts.
fn strings(list: &Yaml) -> Vec<String> {
    let texts = list.as_vec().unwrap_or_else(|| panic!("no list: {list:?}"));
    let text = |item: &Yaml| match item.as_str() {
        Some(text) => text.to_owned(),
        None => panic!("no text: {item:?}"),
    };
    texts.iter().map(text).collect()
}
