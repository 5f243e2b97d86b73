//! Generates services from this checkout, with cargo-generate as a library.

mod hush;
mod leftovers;
mod user;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_generate::{GenerateArgs, TemplatePath, Vcs};

use crate::root;
use crate::stacks::Stack;

pub use leftovers::Leftovers;
pub use user::{again_with_a_user, knows_its_user};

/// Generates `stack` as `destination/name`, as a stranger with an empty configuration would get it: no favourites, no
/// git repository, no formatting afterwards, in no parent workspace. Writes nothing to the terminal.
///
/// # Errors
/// What cargo-generate or a hook refused. `destination` is then as it was.
pub fn generate(stack: &Stack, name: &str, destination: &Path) -> Result<PathBuf> {
    let config = tempfile::NamedTempFile::new()?;
    let args = GenerateArgs {
        no_workspace: true,
        ..args(stack, name, destination, config.path())
    };
    silently(args).with_context(|| format!("cannot generate {stack} as `{name}`"))
}

/// Like [`generate`], but the service joins the Cargo workspace that `destination` lies in.
///
/// # Errors
/// As for [`generate`].
pub fn generate_member(stack: &Stack, name: &str, destination: &Path) -> Result<PathBuf> {
    let config = tempfile::NamedTempFile::new()?;
    silently(args(stack, name, destination, config.path()))
        .with_context(|| format!("cannot generate {stack} as `{name}` into a workspace"))
}

/// Like [`generate`], but right into `folder`, which may hold a project: its files stay.
///
/// # Errors
/// As for [`generate`].
pub fn generate_into(stack: &Stack, name: &str, folder: &Path) -> Result<PathBuf> {
    let config = tempfile::NamedTempFile::new()?;
    let args = GenerateArgs {
        init: true,
        no_workspace: true,
        ..args(stack, name, folder, config.path())
    };
    silently(args).with_context(|| format!("cannot generate {stack} into {}", folder.display()))
}

fn args(stack: &Stack, name: &str, destination: &Path, config: &Path) -> GenerateArgs {
    GenerateArgs {
        name: Some(name.to_owned()),
        destination: Some(destination.to_owned()),
        define: stack
            .values()
            .map(|(question, answer)| format!("{question}={answer}"))
            .collect(),
        ..quiet(root(), config)
    }
}

/// The arguments of a generation from `template` that asks nothing, says nothing and begins no repository, as a stranger with
/// the empty file `config` gets it.
pub fn quiet(template: &Path, config: &Path) -> GenerateArgs {
    GenerateArgs {
        silent: true,
        quiet: true,
        vcs: Some(Vcs::None),
        config: Some(config.to_owned()),
        ..from(template)
    }
}

/// The arguments that every generation from this checkout shares.
pub fn from_checkout() -> GenerateArgs {
    from(root())
}

fn from(template: &Path) -> GenerateArgs {
    GenerateArgs {
        template_path: TemplatePath {
            path: Some(template.display().to_string()),
            ..TemplatePath::default()
        },
        no_fmt: true,
        lib: false,
        bin: true,
        ..GenerateArgs::default()
    }
}

/// Generates as `args` say, without a word.
///
/// # Errors
/// What cargo-generate or a hook refused.
pub fn silently(args: GenerateArgs) -> Result<PathBuf> {
    let leftovers = args.destination.as_deref().map(Leftovers::watch);
    let result = {
        let _hush = hush::hush()?;
        cargo_generate::generate(args)
    };
    if let (Err(_), Some(leftovers)) = (&result, leftovers) {
        leftovers.remove();
    }
    result
}
