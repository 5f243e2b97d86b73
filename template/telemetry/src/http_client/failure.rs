//! What the transport says of a request that got no response.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

/// `error.type` by the first cause that tells, `error` itself included.
pub(super) fn class(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return Some("server_certificate_invalid");
            }
            Some(_) => return Some("tls"),
            None => {}
        }
        let io = error.downcast_ref::<io::Error>();
        match io.map(io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => return Some("connection_refused"),
            Some(ErrorKind::ConnectionReset) => return Some("connection_reset"),
            Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
                return Some("unreachable");
            }
            _ => {}
        }
        // An I/O error passes over the error it wraps when asked for its source.
        cause = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
