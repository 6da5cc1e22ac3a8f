//! The accept loop: bounded connections, bounded patience, an orderly end.
//!
//! `axum::serve` has no limit on connections and waits for ever for a request's head; a listener that strangers reach
//! needs both.

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections open at once per listener. An idle one costs some kilobytes; whoever expects this many raises the
/// process's limit of file descriptors, which otherwise ends accepting earlier, with a pause and a warning.
pub const CONNECTIONS_MAX: usize = 10_000;
/// How long the head of a request may take to arrive, and an idle connection may stay.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests in progress on one HTTP/2 connection.
const STREAMS_MAX: u32 = 200;
/// How long to wait after a failed accept (no file descriptors left): connections end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until told to stop; returns when the requests in flight are answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX).keep_alive_interval(HEAD_TIMEOUT);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!(cause = %e, "listener.accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // Small answers must not wait for more.
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(cause = %e, "connection.nodelay");
        }
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                // A client that goes away, or an answer that was cut short on purpose.
                tracing::debug!(cause = %e, "connection.ended");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}
