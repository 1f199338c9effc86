//! Server reflection in both versions: most clients still ask for v1alpha first.

use tonic_reflection::server::{Builder, Error};

use crate::routes::{InRust, in_rust};

pub const SERVICE_V1: &str = "grpc.reflection.v1.ServerReflection";
pub const SERVICE_V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The services that describe what `descriptor_set` (a serialized `FileDescriptorSet`) contains; none for an empty one.
pub fn services(descriptor_set: &[u8]) -> Result<Vec<(&'static str, InRust)>, Error> {
    if descriptor_set.is_empty() {
        return Ok(vec![]);
    }
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(descriptor_set)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(vec![(SERVICE_V1, in_rust(builder().build_v1()?)), (SERVICE_V1ALPHA, in_rust(builder().build_v1alpha()?))])
}
