//! The end of a load before its time: whoever started it closes its standard input.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[derive(Clone, Default)]
pub struct Ended(Arc<AtomicBool>);

impl Ended {
    /// With standard input; a thread waits for that.
    pub fn with_input() -> Self {
        let ended = Self::default();
        let told = ended.clone();
        thread::spawn(move || {
            // Whatever ends the reading, nobody is there any more.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            told.0.store(true, Ordering::Relaxed);
        });
        ended
    }

    pub fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
