//! The Cargo workspace that a new service is put into. cargo-generate adds the member, and writes the manifest anew for it,
//! without its comments: what people wrote is put back, with the member.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use toml::Spanned;

use crate::house;

#[derive(Debug)]
pub(super) struct Parent {
    manifest: PathBuf,
    /// As it was before.
    text: String,
}

#[derive(Deserialize)]
struct Manifest {
    workspace: Option<Workspace>,
}

#[derive(Deserialize)]
struct Workspace {
    members: Option<Spanned<Vec<Spanned<String>>>>,
}

impl Parent {
    /// The next workspace at `folder` or above it.
    ///
    /// # Errors
    /// When a manifest on the way there cannot be understood: then nobody knows what it is.
    pub(super) fn above(folder: &Path) -> Result<Option<Self>> {
        for folder in folder.canonicalize()?.ancestors() {
            let manifest = folder.join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else {
                continue;
            };
            let parsed: Manifest = toml::from_str(&text).with_context(|| {
                format!(
                    "the service would lie in the project of {}, which is not understood; mend that file, or choose another `--destination`",
                    manifest.display()
                )
            })?;
            if parsed.workspace.is_some() {
                return Ok(Some(Self { manifest, text }));
            }
        }
        Ok(None)
    }

    /// # Errors
    /// When the workspace has a package of a name that the service `name` brings.
    pub(super) fn has_room_for(&self, name: &str) -> Result<()> {
        let folder = self.manifest.parent().unwrap_or(Path::new("."));
        let mut cargo = house::cargo(folder);
        cargo.args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
            "--quiet",
        ]);
        // A workspace that Cargo does not understand, say one without members yet, is its owner's to mend.
        let metadata = house::run(&mut cargo, &mut |_| ()).unwrap_or_default();
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap_or_default();
        let packages = metadata["packages"].as_array().into_iter().flatten();
        for package in packages {
            let taken = package["name"].as_str().unwrap_or_default();
            let ours = taken.strip_prefix(name).unwrap_or("-");
            if ["", "-telemetry", "-proto"].contains(&ours) {
                bail!(
                    "the workspace of {} has a package `{taken}` already ({}); choose another name",
                    self.manifest.display(),
                    package["manifest_path"].as_str().unwrap_or_default()
                );
            }
        }
        Ok(())
    }

    /// Puts the manifest back as it was, with the member that has been added since, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn mend(&self) -> Result<()> {
        let now = fs::read_to_string(&self.manifest)?;
        if now == self.text {
            return Ok(());
        }
        let before = members(&self.text);
        let added = members(&now)
            .into_iter()
            .find(|member| !before.contains(member));
        let mended = match added {
            None => Some(self.text.clone()),
            Some(member) => with_member(&self.text, &member),
        };
        // Where no place for it is found, cargo-generate's own is better than none.
        if let Some(mended) = mended {
            fs::write(&self.manifest, mended)?;
        }
        Ok(())
    }
}

fn members(text: &str) -> Vec<String> {
    let workspace = toml::from_str::<Manifest>(text)
        .ok()
        .and_then(|manifest| manifest.workspace);
    let members = workspace.and_then(|workspace| workspace.members);
    members
        .into_iter()
        .flat_map(Spanned::into_inner)
        .map(Spanned::into_inner)
        .collect()
}

/// `text` with one member more, as the first, where it cannot come between another one and its comment.
fn with_member(text: &str, member: &str) -> Option<String> {
    let workspace = toml::from_str::<Manifest>(text).ok()?.workspace?;
    let quoted = format!("{:?}", member);
    let (at, insertion) = match &workspace.members {
        Some(members) => match members.get_ref().first() {
            Some(first) => {
                let at = first.span().start;
                // What stands between the start of its line and it, if that is nothing but space.
                let line = &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..at];
                let on_its_own = line.trim().is_empty() && !line.is_empty();
                let separator = if on_its_own {
                    format!(",\n{line}")
                } else {
                    ", ".to_owned()
                };
                (at, format!("{quoted}{separator}"))
            }
            None => (members.span().start + 1, quoted),
        },
        None => {
            let header = text.find("[workspace]")? + "[workspace]".len();
            let line = text[header..]
                .find('\n')
                .map_or(text.len(), |end| header + end);
            (line, format!("\nmembers = [{quoted}]"))
        }
    };
    let mended = format!("{}{insertion}{}", &text[..at], &text[at..]);
    let mut expected = members(text);
    expected.insert(0, member.to_owned());
    (members(&mended) == expected).then_some(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_and_nothing_else_changes() {
        for (before, after) in [
            (
                "# Ours.\n[workspace]\nmembers = [\n    \"lib\", # the library\n    \"x\",\n] # all\n",
                "# Ours.\n[workspace]\nmembers = [\n    \"shop\",\n    \"lib\", # the library\n    \"x\",\n] # all\n",
            ),
            (
                "[workspace]\nmembers = [\"lib\"]\nresolver = \"3\"",
                "[workspace]\nmembers = [\"shop\", \"lib\"]\nresolver = \"3\"",
            ),
            (
                "[workspace] # none yet\nresolver = \"3\"\n",
                "[workspace] # none yet\nmembers = [\"shop\"]\nresolver = \"3\"\n",
            ),
            (
                "[workspace]\nmembers = []\n",
                "[workspace]\nmembers = [\"shop\"]\n",
            ),
            (
                "workspace = { members = ['lib'] }",
                "workspace = { members = [\"shop\", 'lib'] }",
            ),
        ] {
            assert_eq!(with_member(before, "shop").as_deref(), Some(after));
        }
        assert_eq!(with_member("[package]\nname = \"x\"", "shop"), None);
    }
}
