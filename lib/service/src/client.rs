//! The HTTP client's connections, plain and with TLS: the same for all who call others.

use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::tls::client_config;

/// A client that keeps its connections for the next request. It follows no redirects.
pub type HttpsClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// HTTP/1.1, with the roots of trust that browsers have and those of [`trust_also`](crate::trust_also); a connection may
/// take so long to be made.
pub fn https_client<B>(connect_max: Duration) -> HttpsClient<B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(connect_max));
    http.set_nodelay(true);
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(client_config())
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Client::builder(TokioExecutor::new()).build(https)
}
