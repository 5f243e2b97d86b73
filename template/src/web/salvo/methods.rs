//! What HTTP asks of every path: HEAD wherever there is GET, and a 405 that says what is allowed.

use std::collections::BTreeMap;

use http::{HeaderValue, Method, header::ALLOW};
use salvo::{
    Response, Router, handler,
    routing::{FilterInfo, filters},
};

use super::error;

/// Adds both to all paths of `routes`.
///
/// salvo has a 405 of its own, but forgets the route that the path belongs to.
pub(super) fn complete(mut routes: Router) -> Router {
    head_like_get(&mut routes);
    let mut paths = BTreeMap::new();
    collect(&routes, "", &mut paths);
    // The last routes, so that they get what no other takes; and by name, which has `/users/me` before `/users/{id}`.
    paths.into_iter().fold(routes, |routes, (path, methods)| {
        routes.push(Router::with_path(path).goal(Refuse::all_but(&methods)))
    })
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2>. salvo takes the body away.
fn head_like_get(router: &mut Router) {
    let is_get = |router: &&Router| method(router) == Some(Method::GET);
    let mut heads: Vec<_> = router.routers.iter().filter(is_get).map(head_of).collect();
    router.routers.append(&mut heads);
    router.routers.iter_mut().for_each(head_like_get);
}

fn head_of(get: &Router) -> Router {
    let mut head = Router::with_filter(filters::head());
    head.hoops.clone_from(&get.hoops);
    head.goal.clone_from(&get.goal);
    head
}

fn method(router: &Router) -> Option<Method> {
    router
        .filters
        .iter()
        .find_map(|filter| match filter.info() {
            FilterInfo::Method(method) => Some(method),
            _ => None,
        })
}

/// The methods of each path at or below `router`.
fn collect(router: &Router, above: &str, paths: &mut BTreeMap<String, Vec<Method>>) {
    let mut path = above.to_owned();
    for filter in &router.filters {
        if let FilterInfo::Path(part) = filter.info() {
            path = format!("{path}/{}", part.trim_matches('/'));
        }
    }
    if let Some(method) = method(router) {
        paths.entry(path.clone()).or_default().push(method);
    }
    for router in &router.routers {
        collect(router, &path, paths);
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6>
struct Refuse {
    allow: HeaderValue,
}

impl Refuse {
    fn all_but(methods: &[Method]) -> Self {
        let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
        let allow = HeaderValue::try_from(methods.join(","));
        Self {
            allow: allow.expect("methods are valid in a header"),
        }
    }
}

#[handler]
impl Refuse {
    async fn handle(&self, response: &mut Response) {
        response.headers.insert(ALLOW, self.allow.clone());
        response.render(error::no_method());
    }
}
