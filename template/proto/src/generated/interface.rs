// Made of the .proto files; see tests/generated.rs.

/// Every method, as `package.Service/Method`.
pub const METHODS: &[&str] = &[
    "shop.v1.ProductService/Search",
    "shop.v1.UserService/GetUser",
    "shop.v1.UserService/CreateUser",
];

/// The files, encoded, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    b"\n\x82\x03\n\x16shop/v1/products.proto\x12\x07shop.v1\"^\n\rSearchRequest\x12\x0c\n\x01q\x18\x01 \x01(\tR\x01q\x12\x1a\n\x08category\x18\x02 \x01(\tR\x08category\x12\x19\n\x05limit\x18\x03 \x01(\rH\x00R\x05limit\x88\x01\x01B\x08\n\x06_limit\">\n\x0eSearchResponse\x12,\n\x08products\x18\x01 \x03(\x0b2\x10.shop.v1.ProductR\x08products\"j\n\x07Product\x12\x0e\n\x02id\x18\x01 \x01(\x03R\x02id\x12\x12\n\x04name\x18\x02 \x01(\tR\x04name\x12\x1a\n\x08category\x18\x03 \x01(\tR\x08category\x12\x1f\n\x0bprice_cents\x18\x04 \x01(\x03R\npriceCents2K\n\x0eProductService\x129\n\x06Search\x12\x16.shop.v1.SearchRequest\x1a\x17.shop.v1.SearchResponseb\x06proto3\n\xc4\x02\n\x13shop/v1/users.proto\x12\x07shop.v1\" \n\x0eGetUserRequest\x12\x0e\n\x02id\x18\x01 \x01(\x03R\x02id\"=\n\x11CreateUserRequest\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12\x14\n\x05email\x18\x02 \x01(\tR\x05email\"@\n\x04User\x12\x0e\n\x02id\x18\x01 \x01(\x03R\x02id\x12\x12\n\x04name\x18\x02 \x01(\tR\x04name\x12\x14\n\x05email\x18\x03 \x01(\tR\x05email2y\n\x0bUserService\x121\n\x07GetUser\x12\x17.shop.v1.GetUserRequest\x1a\r.shop.v1.User\x127\n\nCreateUser\x12\x1a.shop.v1.CreateUserRequest\x1a\r.shop.v1.Userb\x06proto3";
