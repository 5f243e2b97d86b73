use super::cover::{FILES_ONLY, all_of, flagship_of, pairwise_of};
use super::*;

/// The questions as they may be one day: longer choices, extras, and questions behind them.
fn future() -> &'static Options {
    let text = r#"
        [placeholders.framework]
        type = "string"
        prompt = "?"
        choices = ["axum", "actix-web", "actix", "rocket"]
        default = "axum"
        [placeholders.database]
        type = "string"
        prompt = "?"
        choices = ["sqlite", "postgres", "none"]
        default = "sqlite"
        [placeholders.extras]
        type = "array"
        prompt = "?"
        choices = ["redis", "jobs", "grpc"]
        default = []
        [placeholders.ops]
        type = "array"
        prompt = "?"
        choices = ["openapi", "kubernetes"]
        default = ["openapi"]
        [placeholders.scope]
        type = "string"
        prompt = "?"
        choices = ["service", "telemetry"]
        default = "service"
    "#;
    Box::leak(Box::new(Options::parse(text).unwrap()))
}

#[test]
fn a_name_says_what_differs_and_is_read_back() {
    for name in [
        "axum-sqlite",
        "actix-web-none",
        "actix-none+redis+grpc",
        "rocket-postgres+jobs+kubernetes~openapi+telemetry",
    ] {
        assert_eq!(parse(future(), name).unwrap().to_string(), name);
    }
    let stack = parse(future(), "axum-none+jobs+redis").unwrap();
    assert_eq!(
        stack.to_string(),
        "axum-none+redis+jobs",
        "extras in the order of the choices"
    );
    assert!(
        stack.has("extras", "redis") && stack.has("ops", "openapi") && !stack.has("extras", "grpc")
    );
    assert_eq!(stack.one("scope"), Some("service"));
    assert_eq!(
        stack.values().nth(2),
        Some(("extras", "redis,jobs".to_owned()))
    );
}

#[test]
fn an_unknown_name_lists_what_is_allowed() {
    for name in [
        "",
        "axum",
        "warp-sqlite",
        "axum-sqlite-curl",
        "axum-sqlite+kafka",
        "axum-sqlite~service",
        "axum-sqlite+",
    ] {
        let error = format!("{:#}", parse(future(), name).unwrap_err());
        assert!(
            error.contains(&format!("`{name}` is not a stack")),
            "{error}"
        );
    }
    let error = format!("{:#}", parse(future(), "warp-sqlite").unwrap_err());
    assert!(
        error.contains("(axum|actix-web|actix|rocket)-(sqlite|postgres|none)"),
        "{error}"
    );
}

#[test]
fn flagship_has_each_choice_in_as_few_stacks_as_possible() {
    let stacks = flagship_of(future());
    assert_eq!(
        stacks.len(),
        4,
        "as many as the longest question has choices"
    );
    assert_eq!(stacks[0].to_string(), "axum-sqlite");
    for question in &future().questions {
        let choices = question.choices.iter();
        for choice in choices.filter(|choice| !FILES_ONLY.contains(&&*choice.value)) {
            assert!(
                stacks
                    .iter()
                    .any(|stack| stack.has(&question.name, &choice.value)),
                "{}",
                choice.value
            );
        }
    }
}

#[test]
fn pairwise_has_each_pair_in_far_fewer_stacks_than_all() {
    let (all, pairs) = (all_of(future()), pairwise_of(future()));
    assert_eq!(
        all.len(),
        4 * 3 * 8 * 2,
        "openapi stands alone, kubernetes only adds files"
    );
    assert!(pairs.len() <= 18, "{}", pairs.len());
    let chosen = |stack: &Stack| -> Vec<(&'static str, String, bool)> {
        let every = future()
            .questions
            .iter()
            .flat_map(|q| q.choices.iter().map(move |c| (q, c)));
        every
            .map(|(q, c)| (&*q.name, c.value.clone(), stack.has(&q.name, &c.value)))
            .filter(|(question, _, chosen)| *chosen || ["extras", "ops"].contains(question))
            .collect()
    };
    for stack in &all {
        let cells = chosen(stack);
        for a in &cells {
            for b in &cells {
                let covered = |row: &Stack| row.has(a.0, &a.1) == a.2 && row.has(b.0, &b.1) == b.2;
                assert!(pairs.iter().any(covered), "{a:?} with {b:?}");
            }
        }
    }
}

#[test]
fn choices_that_only_add_files_vary_where_nothing_is_built() {
    let (around, pairwise) = (around().unwrap(), pairwise().unwrap());
    assert_eq!(around.len(), 16 + pairwise.len() - 1);
    let beside_ops = |stack: &Stack| {
        let values = stack.values().filter(|(question, _)| *question != "ops");
        values.collect::<Vec<_>>()
    };
    for stack in pairwise {
        let with_all = |other: &Stack| {
            beside_ops(other) == beside_ops(&stack)
                && FILES_ONLY.iter().all(|value| other.has("ops", value))
        };
        assert!(around.iter().any(with_all), "{stack}");
    }
}

#[test]
fn the_present_questions() {
    assert_eq!(default().unwrap(), flagship().unwrap()[0]);
    let all = all().unwrap();
    assert_eq!(all[0], default().unwrap());
    for stack in &all {
        assert_eq!(&stack.to_string().parse::<Stack>().unwrap(), stack);
    }
}
