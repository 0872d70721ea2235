#![no_main]

use libfuzzer_sys::{Corpus, arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let enough = ferrostep_fuzz::step::run(&mut Unstructured::new(data)).is_ok();
    if enough { Corpus::Keep } else { Corpus::Reject }
});
