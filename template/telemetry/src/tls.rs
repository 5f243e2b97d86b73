//! Whom the exporters trust, and as whom they are known, where the connection is encrypted:
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options>.

use std::{fmt, fs};

use opentelemetry_otlp::{
    ExporterBuildError,
    tonic_types::transport::{Certificate, ClientTlsConfig, Identity},
};

use crate::env::Env;

/// What the variables name, read; all of it PEM.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    /// Trusted instead of the system's roots.
    authorities: Option<Vec<u8>>,
    /// Sent when the collector asks who this is (mTLS).
    identity: Option<Own>,
}

struct Own {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A private key is for nobody to see.
impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl Tls {
    /// For the exporter of `signal`, such as `TRACES`.
    ///
    /// # Errors
    /// A file cannot be read or holds something else, or a certificate is named without its key.
    pub(crate) fn read(env: &Env, signal: &str) -> Result<Self, ExporterBuildError> {
        let authorities = file(env, &env.otlp(signal, "CERTIFICATE"))?;
        if let Some((name, pem)) = &authorities {
            let found = reqwest::Certificate::from_pem_bundle(pem);
            if !found.is_ok_and(|certificates| !certificates.is_empty()) {
                return Err(wrong(name, "holds no certificate in PEM"));
            }
        }
        let (certificate, key) = (
            env.otlp(signal, "CLIENT_CERTIFICATE"),
            env.otlp(signal, "CLIENT_KEY"),
        );
        let identity = match (file(env, &certificate)?, file(env, &key)?) {
            (Some((_, certificate)), Some((_, key))) => Some(Own { certificate, key }),
            (None, None) => None,
            (Some((name, _)), None) => return Err(wrong(&name, &format!("needs {key} too"))),
            (None, Some((name, _))) => {
                return Err(wrong(&name, &format!("needs {certificate} too")));
            }
        };
        Ok(Self {
            authorities: authorities.map(|(_, pem)| pem),
            identity,
        })
    }

    pub(crate) fn grpc(&self) -> ClientTlsConfig {
        let config = match &self.authorities {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        match &self.identity {
            Some(own) => config.identity(Identity::from_pem(&own.certificate, &own.key)),
            None => config,
        }
    }

    /// # Errors
    /// A file holds something else than it should.
    pub(crate) fn http(
        &self,
        mut client: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        if let Some(pem) = &self.authorities {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        if let Some(own) = &self.identity {
            let both = [&*own.key, b"\n", &*own.certificate].concat();
            client = client.identity(reqwest::Identity::from_pem(&both)?);
        }
        Ok(client)
    }
}

/// The variable that counts and the content of the file it names.
fn file(env: &Env, name: &str) -> Result<Option<(String, Vec<u8>)>, ExporterBuildError> {
    let Some(path) = env.get(name) else {
        return Ok(None);
    };
    let name = format!("{name}={path:?}");
    match fs::read(&path) {
        Ok(content) => Ok(Some((name, content))),
        Err(error) => Err(wrong(&name, &format!("cannot be read: {error}"))),
    }
}

fn wrong(name: &str, what: &str) -> ExporterBuildError {
    ExporterBuildError::InvalidConfiguration(format!("{name} {what}"))
}
