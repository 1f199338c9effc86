//! Which part of the server answers a path.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tonic::Status;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use crate::{
    answer::{AnswerBody, response},
    call::Calls,
    refusal,
};

/// A service of tonic's own that needs no Python.
pub type InRust = BoxCloneSyncService<Request<Incoming>, Response<tonic::body::Body>, Infallible>;

pub fn in_rust<S>(service: S) -> InRust
where
    S: Service<Request<Incoming>, Response = Response<tonic::body::Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(service)
}

enum Route {
    Batched(usize),
    Echo(Bytes),
}

pub struct Routes {
    calls: Arc<Calls>,
    methods: HashMap<String, Route>,
    services: HashMap<&'static str, InRust>,
}

impl Routes {
    /// `echoes` are framed already.
    pub fn new(
        calls: Arc<Calls>,
        batched: &[String],
        echoes: Vec<(String, Bytes)>,
        services: Vec<(&'static str, InRust)>,
    ) -> Self {
        let batched = batched.iter().enumerate().map(|(index, path)| (path.clone(), Route::Batched(index)));
        let echoes = echoes.into_iter().map(|(path, frame)| (path, Route::Echo(frame)));
        Self { calls, methods: batched.chain(echoes).collect(), services: services.into_iter().collect() }
    }

    pub async fn respond(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        if request.method() != Method::POST {
            return self.no_grpc(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !is_grpc(request.headers()) {
            return self.no_grpc(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        match self.methods.get(request.uri().path()) {
            Some(Route::Batched(method)) => response(self.calls.ask(*method, request).await),
            Some(Route::Echo(frame)) => response(self.calls.echo(frame.clone(), request).await),
            None => self.respond_in_rust(request).await,
        }
    }

    /// What a call gets that comes when the server is stopping.
    pub fn refuse(&self, request: &Request<Incoming>) -> Response<AnswerBody> {
        if let Some(Route::Batched(_)) = self.methods.get(request.uri().path()) {
            self.calls.counters.received.one();
            self.calls.counters.refused_stopping.one();
        }
        response(Err(refusal::stopping()))
    }

    async fn respond_in_rust(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let service = service(request.uri().path()).and_then(|name| self.services.get(name));
        let Some(service) = service.cloned() else {
            self.calls.counters.unknown.one();
            return response(Err(Status::unimplemented("unknown method")));
        };
        self.calls.counters.answered_in_rust.one();
        match service.oneshot(request).await {
            Ok(response) => response.map(AnswerBody::Tonic),
            Err(never) => match never {},
        }
    }

    /// What the protocol prescribes for requests that no gRPC client sends.
    fn no_grpc(&self, status: StatusCode) -> Response<AnswerBody> {
        self.calls.counters.unknown.one();
        let mut response = Response::new(AnswerBody::Empty);
        *response.status_mut() = status;
        response
    }
}

/// `application/grpc`, alone or with `+proto` and the like or a parameter behind it; not `application/grpc-web`.
fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let rest = value.and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

fn service(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split_once('/').map(|(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        let told = |value: &str| is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(told("application/grpc") && told("application/grpc+proto") && told("application/grpc;x=y"));
        assert!(!told("application/grpc-web") && !told("application/json"));
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_path_names_its_service() {
        assert_eq!(service("/a.B/C"), Some("a.B"));
        assert_eq!(service("/a.B"), None);
        assert_eq!(service("*"), None);
    }
}
