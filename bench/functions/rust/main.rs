// The function that the bench measures, in Rust with the yaml-rust library: it
// sets one annotation on every resource.
use std::io::{self, Read, Write};
use std::process::exit;

use yaml_rust::yaml::Hash;
use yaml_rust::{Yaml, YamlEmitter, YamlLoader};

fn main() {
    if let Err(e) = run() {
        eprintln!("rust: {}", e);
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|e| e.to_string())?;
    let mut docs = YamlLoader::load_from_str(&text).map_err(|e| e.to_string())?;
    let list = docs.first_mut().and_then(|d| match d {
        Yaml::Hash(h) => Some(h),
        _ => None,
    });
    let items = match list.and_then(|l| l.get_mut(&key("items"))) {
        Some(Yaml::Array(items)) => items,
        _ => return Err("the ResourceList has no items".into()),
    };
    for item in items.iter_mut() {
        annotate(item)?;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    YamlEmitter::new(&mut out).dump(&docs[0]).map_err(|e| format!("{:?}", e))?;
    out.push('\n');
    io::stdout().write_all(out.as_bytes()).map_err(|e| e.to_string())
}

fn annotate(item: &mut Yaml) -> Result<(), String> {
    let metadata = match item {
        Yaml::Hash(h) => h.get_mut(&key("metadata")),
        _ => None,
    };
    let metadata = match metadata {
        Some(Yaml::Hash(m)) => m,
        _ => return Err("an item has no metadata".into()),
    };
    if !matches!(metadata.get(&key("annotations")), Some(Yaml::Hash(_))) {
        metadata.insert(key("annotations"), Yaml::Hash(Hash::new()));
    }
    if let Some(Yaml::Hash(a)) = metadata.get_mut(&key("annotations")) {
        a.insert(key("bench.krmsafe.dev/owner"), key("team-a"));
    }
    Ok(())
}

fn key(s: &str) -> Yaml {
    Yaml::String(s.to_string())
}
