#[test_only]
/// E2, E3: what a task's envelope is in bytes, and its digest, which every settlement leaf carries, are the same here as in TypeScript.
module scs::envelope_tests {
    use std::bcs;
    use std::hash;
    use std::vector;
    use scs::vectors;

    const TAG: vector<u8> = b"SCS::envelope";

    /// SHA3-256 of the tag's length in one byte, the tag, the bytes.
    fun digest_of(bytes: vector<u8>): vector<u8> {
        let tagged = vector[(vector::length(&TAG) as u8)];
        vector::append(&mut tagged, TAG);
        vector::append(&mut tagged, bytes);
        hash::sha3_256(tagged)
    }

    #[test]
    fun the_same_bytes() { assert!(bcs::to_bytes(&vectors::envelope()) == vectors::envelope_bytes(), 0); }

    #[test]
    fun the_same_digest() { assert!(digest_of(vectors::envelope_bytes()) == vectors::envelope_digest(), 0); }
}
