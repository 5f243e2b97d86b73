//! What happens to a service or to what it needs, while its collector is well.

use anyhow::Result;

use super::{Protocol, Rig, Row, called, database, service};
use crate::receiver::Receiver;
use crate::scenario::{Part, Parts};
use crate::stacks::Stack;

/// Something that happens to a service.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    pub name: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Stopped,
    Killed,
    Panics,
    Abandoned,
    Database,
    Redis,
    Upstream,
}

pub const STORIES: &[Story] = &[
    Story {
        name: "SIGTERM under load",
        what: What::Stopped,
    },
    Story {
        name: "SIGKILL",
        what: What::Killed,
    },
    Story {
        name: "handlers panic",
        what: What::Panics,
    },
    Story {
        name: "clients hang up",
        what: What::Abandoned,
    },
    Story {
        name: "database cut off",
        what: What::Database,
    },
    Story {
        name: "Redis cut off",
        what: What::Redis,
    },
    Story {
        name: "upstream cut off",
        what: What::Upstream,
    },
];

impl Story {
    /// Whether `stack` has what it takes.
    pub fn applies_to(&self, stack: &Stack) -> bool {
        let file = ["sqlite", "none"].contains(&stack.one("database").unwrap_or_default());
        let parts = Parts::of(stack);
        match self.what {
            What::Database => parts.has(Part::Sql) && !file,
            What::Redis => parts.has(Part::Redis),
            What::Upstream => parts.has(Part::Client),
            What::Stopped | What::Killed | What::Panics | What::Abandoned => true,
        }
    }

    /// Whether it waits for nothing that takes seconds.
    pub fn is_quick(&self) -> bool {
        !matches!(self.what, What::Database | What::Redis | What::Upstream)
    }

    /// # Errors
    /// When the service or the rig itself fails. A promise that is broken is in the row.
    pub async fn try_out(&self, rig: &Rig) -> Result<Row> {
        let receiver = Receiver::start().await?;
        let mut row = Row::of(&rig.stack, self.name, Protocol::Grpc.name());
        match self.what {
            What::Stopped => service::stopped(rig, &receiver, &mut row).await?,
            What::Killed => service::killed(rig, &receiver, &mut row).await?,
            What::Panics => service::panics(rig, &receiver, &mut row).await?,
            What::Abandoned => service::abandoned(rig, &receiver, &mut row).await?,
            What::Database => database::cut_off(rig, &receiver, &mut row).await?,
            What::Redis => called::redis(rig, &receiver, &mut row).await?,
            What::Upstream => called::upstream(rig, &receiver, &mut row).await?,
        }
        Ok(row)
    }
}
