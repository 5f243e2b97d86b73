#![expect(dead_code, reason = "they show a shape; nobody calls or reads them")]

use utoipa::{OpenApi, ToSchema};

use crate::users;

#[derive(OpenApi)]
#[openapi(
    paths(get_user, create_user),
    tags((name = "users", description = "Who is known here."))
)]
pub(super) struct Api;

/// A user.
#[derive(ToSchema)]
#[schema(example = json!({ "id": 1, "name": "Ada Lovelace", "email": "ada@example.com" }))]
struct User {
    id: i64,
    name: String,
    email: String,
}

const _: fn(users::User) -> User = |users::User { id, name, email }| User { id, name, email };

/// A user to be.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "Barbara Liskov", "email": "barbara@example.com" }))]
struct NewUser {
    /// Not only blanks, and no control characters.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$"
    )]
    name: String,
    /// Nobody else's yet.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = r"^[^@\s\x00-\x1F\x7F-\x9F]+@[^\s\x00-\x1F\x7F-\x9F]+$"
    )]
    email: String,
}

const _: fn(users::NewUser) -> NewUser = |users::NewUser { name, email }| NewUser { name, email };

/// The user with this id
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = "users",
    params(("id" = i64, Path, minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 1)),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 400, description = "The id is no such number."),
        (status = 404, description = "There is no user with this id."),
    )
)]
fn get_user() {}

/// Adds a user
#[utoipa::path(
    post,
    path = "/users",
    tag = "users",
    request_body = NewUser,
    responses(
        (
            status = 201,
            description = "The user, with its id.",
            body = User,
            headers(("location" = String, description = "Where the user is found from now on."))
        ),
        (status = 400, description = "The body is no JSON."),
        (status = 409, description = "A user with this e-mail address exists."),
        (status = 413, description = "The body is too large."),
        (status = 415, description = "The body is not said to be JSON."),
        (status = 422, description = "The body is JSON of another shape, or fields are not valid."),
    )
)]
fn create_user() {}
