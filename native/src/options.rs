//! What a front is made with, checked as a whole: every problem is told at once.

use std::{
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{certificates::Files, connection::Limits};

/// Connections that may wait for this process to accept them.
const BACKLOG: i32 = 1024;

/// Numbers as Python gave them; zero means "never" where a time is optional.
pub struct Numbers {
    pub batch_limit: i64,
    pub in_flight_limit: i64,
    pub queue_limit_ms: i64,
    pub retry_after_ms: i64,
    pub message_bytes_limit: i64,
    pub connection_age_ms: i64,
    pub connection_age_grace_ms: i64,
    pub keepalive_interval_ms: i64,
    pub keepalive_timeout_ms: i64,
    pub spin_us: i64,
}

impl Numbers {
    pub fn problems(&self) -> Vec<String> {
        [
            ("batch_limit", self.batch_limit, 1),
            ("in_flight_limit", self.in_flight_limit, 1),
            ("queue_limit_ms", self.queue_limit_ms, 1),
            ("retry_after_ms", self.retry_after_ms, 0),
            ("message_bytes_limit", self.message_bytes_limit, 1),
            ("connection_age_ms", self.connection_age_ms, 0),
            ("connection_age_grace_ms", self.connection_age_grace_ms, 0),
            ("keepalive_interval_ms", self.keepalive_interval_ms, 0),
            ("keepalive_timeout_ms", self.keepalive_timeout_ms, 1),
            ("spin_us", self.spin_us, 0),
        ]
        .into_iter()
        .filter(|(_, value, least)| !(*least..=i64::from(u32::MAX)).contains(value))
        .map(|(name, value, least)| format!("{name}={value} is not between {least} and {}", u32::MAX))
        .collect()
    }

    pub fn limits(&self) -> Limits {
        Limits {
            streams: Limits::streams_for(self.in_flight_limit as u64),
            age: optional(self.connection_age_ms),
            age_grace: milliseconds(self.connection_age_grace_ms),
            keepalive: optional(self.keepalive_interval_ms),
            keepalive_timeout: milliseconds(self.keepalive_timeout_ms),
        }
    }
}

pub fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(value.unsigned_abs())
}

fn optional(value: i64) -> Option<Duration> {
    (value > 0).then(|| milliseconds(value))
}

/// What is wrong with the paths of the methods: form, names of the server's own, doubles.
pub fn path_problems(paths: &[String], reserved: &[&str]) -> Vec<String> {
    let mut problems = vec![];
    for (index, path) in paths.iter().enumerate() {
        match path.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
            Some((service, method)) if is_name(service) && is_name(method) => {
                if reserved.contains(&service) {
                    problems.push(format!("method {path:?} belongs to the server itself"));
                }
            }
            _ => problems.push(format!("method {path:?} is not of the form /package.Service/Method")),
        }
        if paths[..index].contains(path) {
            problems.push(format!("method {path:?} is there twice"));
        }
    }
    problems
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
}

/// The files of TLS; none at all: no TLS. Some without the others: a problem.
pub fn tls_files(certificate: &str, key: &str, client_ca: &str) -> Result<Option<Files>, String> {
    match (certificate, key, client_ca) {
        ("", "", "") => Ok(None),
        ("", ..) | (_, "", _) => Err("certificate_file and key_file belong together, client_ca_file to both".into()),
        _ => Ok(Some(Files {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: (!client_ca.is_empty()).then(|| PathBuf::from(client_ca)),
        })),
    }
}

/// The address that `listen` names: host and port.
pub fn address(listen: &str) -> Result<SocketAddr, String> {
    let found = listen.to_socket_addrs().map_err(|_| format!("listen={listen:?} is no host:port that is known"))?;
    found.into_iter().next().ok_or_else(|| format!("listen={listen:?} has no address"))
}

/// Listens. With `reuse_port` several processes may share the port, and the kernel spreads connections over them.
pub fn bind(address: SocketAddr, reuse_port: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked() {
        let told = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            path_problems(&paths, &["own.Service"]).len()
        };
        assert_eq!(told(&["/a.b.Service/Method", "/a/b"]), 0);
        assert_eq!(told(&["a/b", "/a", "/a/", "//b", "/a/b/c", "/a b/c", ""]), 7);
        assert_eq!(told(&["/own.Service/Method"]), 1);
        assert_eq!(told(&["/a/b", "/a/b"]), 1);
    }

    #[test]
    fn tls_needs_both_files() {
        assert!(tls_files("", "", "").unwrap().is_none());
        assert!(tls_files("c", "k", "").unwrap().unwrap().client_ca.is_none());
        assert!(tls_files("c", "k", "a").unwrap().unwrap().client_ca.is_some());
        for (certificate, key, client_ca) in
            [("c", "", ""), ("", "k", ""), ("", "", "a"), ("c", "", "a"), ("", "k", "a")]
        {
            assert!(tls_files(certificate, key, client_ca).is_err(), "{certificate}{key}{client_ca}");
        }
    }

    #[test]
    fn a_taken_port_is_an_error_and_a_shared_one_is_not() {
        let first = bind(address("127.0.0.1:0").unwrap(), false).unwrap();
        assert!(bind(first.local_addr().unwrap(), false).is_err());
        let shared = bind(address("127.0.0.1:0").unwrap(), true).unwrap();
        assert!(bind(shared.local_addr().unwrap(), true).is_ok());
    }
}
