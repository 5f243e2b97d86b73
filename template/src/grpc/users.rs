use proto::shop::v1::{CreateUserRequest, GetUserRequest, User, user_service_server::UserService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    state::AppState,
    users::{self, NewUser},
};

pub(super) struct Users(pub(super) AppState);

#[async_trait]
impl UserService for Users {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let user = users::get(&self.0, request.into_inner().id).await?;
        Ok(Response::new(user.into()))
    }

    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<User>, Status> {
        let CreateUserRequest { name, email } = request.into_inner();
        let user = users::create(&self.0, NewUser { name, email }).await?;
        Ok(Response::new(user.into()))
    }
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        let users::User { id, name, email } = user;
        Self { id, name, email }
    }
}
