//! A collector behind TLS, with an authority that no system trusts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ci::receiver::Receiver;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{Spans, serve_one};

/// An authority, and a certificate for the collector and one for the service.
pub struct House {
    authority: CertifiedIssuer<'static, KeyPair>,
    collector: (CertificateDer<'static>, PrivateKeyDer<'static>),
    folder: tempfile::TempDir,
}

impl House {
    pub fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &authority).unwrap(), key)
        };
        let (certificate, key) = signed("127.0.0.1");
        let collector = (
            certificate.der().clone(),
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
        let (certificate, key) = signed("shop");
        let folder = tempfile::tempdir().unwrap();
        for (name, pem) in [
            ("authority.pem", authority.pem()),
            ("shop.pem", certificate.pem()),
            ("shop.key", key.serialize_pem()),
        ] {
            fs::write(folder.path().join(name), pem).unwrap();
        }
        Self {
            authority,
            collector,
            folder,
        }
    }

    pub fn file(&self, name: &str) -> String {
        let path: &Path = &self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Ends TLS in front of `receiver`. Whoever connects must show a certificate of the authority, if it is `mutual`.
    pub async fn front(&self, receiver: SocketAddr, alpn: &str, mutual: bool) -> String {
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            config.with_no_client_auth()
        };
        let (certificate, key) = (self.collector.0.clone(), self.collector.1.clone_key());
        let mut config = config.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![alpn.into()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut tls = acceptor.accept(connection).await?;
                    let mut plain = TcpStream::connect(receiver).await?;
                    copy_bidirectional(&mut tls, &mut plain).await
                });
            }
        });
        endpoint
    }
}

/// What arrives at a collector behind TLS over each protocol by each exporter, spans and exports of any kind, with `files`
/// in the service's variables, and the warnings that the service left.
async fn arrive(mutual: bool, files: &[(&str, &str)]) -> Vec<(usize, usize)> {
    let house = House::new();
    let mut seen = Vec::new();
    let (grpc, http) = (("grpc", "h2"), ("http/protobuf", "http/1.1"));
    for (spans, (protocol, alpn)) in [
        (Spans::ByOtlp, grpc),
        (Spans::ByOtlp, http),
        (Spans::InOnePass, grpc),
        (Spans::InOnePass, http),
    ] {
        let receiver = Receiver::start().await.unwrap();
        let plain = match protocol {
            "grpc" => receiver.grpc_endpoint(),
            _ => receiver.http_endpoint(),
        };
        let plain = plain.trim_start_matches("http://").parse().unwrap();
        let endpoint = house.front(plain, alpn, mutual).await;
        let files: Vec<_> = files
            .iter()
            .map(|(name, file)| (*name, house.file(file)))
            .collect();
        let mut env = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ];
        env.extend(files.iter().map(|(name, file)| (*name, file.as_str())));
        let ended = serve_one(spans, &env).await;
        let warning = |line: &&String| line.contains("\"level\":\"WARN\"");
        let warnings = ended.lines.iter().filter(warning).count();
        seen.push((receiver.store().snapshot().spans.len(), warnings));
    }
    seen
}

const AUTHORITY: (&str, &str) = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "authority.pem");
const CERTIFICATE: (&str, &str) = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "shop.pem");
const KEY: (&str, &str) = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "shop.key");

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    assert_eq!(arrive(false, &[AUTHORITY]).await, [(3, 0); 4]);
}

#[tokio::test]
async fn the_service_shows_who_it_is_to_a_collector_that_asks() {
    assert_eq!(
        arrive(true, &[AUTHORITY, CERTIFICATE, KEY]).await,
        [(3, 0); 4]
    );
}

#[tokio::test]
async fn a_signal_can_have_files_of_its_own() {
    let own = [
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "authority.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "shop.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "shop.key"),
    ];
    // The other signals do not arrive, and that is said once.
    assert_eq!(arrive(true, &own).await, [(3, 1); 4]);
}

#[tokio::test]
async fn nobody_else_is_trusted_and_that_is_said_once() {
    assert_eq!(arrive(false, &[]).await, [(0, 1); 4]);
}

#[tokio::test]
async fn who_shows_nothing_is_sent_away_by_a_collector_that_asks() {
    assert_eq!(arrive(true, &[AUTHORITY]).await, [(0, 1); 4]);
}
