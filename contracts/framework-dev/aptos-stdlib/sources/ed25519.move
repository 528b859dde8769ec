/// Ed25519 signatures. The VM's native accepts what ZIP 215 accepts; "strict" is made of it here by refusing points of
/// small order and encodings that aren't canonical, as the genuine framework's native does. What is left between the two: a
/// signer who deliberately adds a torsion component passes here and not there. That can only harm the signer.
module aptos_std::ed25519 {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::vector;

    /// A public key has 32 bytes.
    const E_WRONG_PUBKEY_SIZE: u64 = 1;
    /// A signature has 64 bytes.
    const E_WRONG_SIGNATURE_SIZE: u64 = 2;

    const PUBLIC_KEY_NUM_BYTES: u64 = 32;
    const SIGNATURE_NUM_BYTES: u64 = 64;
    /// Last byte of an authentication key's preimage: one Ed25519 key.
    const SIGNATURE_SCHEME_ID: u8 = 0;

    struct SignedMessage<MessageType> has drop {
        type_info: aptos_std::type_info::TypeInfo,
        inner: MessageType
    }

    /// Bytes that may or may not be a point of the curve.
    struct UnvalidatedPublicKey has copy, drop, store {
        bytes: vector<u8>
    }

    struct Signature has copy, drop, store {
        bytes: vector<u8>
    }

    public fun new_unvalidated_public_key_from_bytes(bytes: vector<u8>): UnvalidatedPublicKey {
        assert!(bytes.length() == PUBLIC_KEY_NUM_BYTES, error::invalid_argument(E_WRONG_PUBKEY_SIZE));
        UnvalidatedPublicKey { bytes }
    }

    public fun new_signature_from_bytes(bytes: vector<u8>): Signature {
        assert!(bytes.length() == SIGNATURE_NUM_BYTES, error::invalid_argument(E_WRONG_SIGNATURE_SIZE));
        Signature { bytes }
    }

    public fun unvalidated_public_key_to_bytes(pk: &UnvalidatedPublicKey): vector<u8> {
        pk.bytes
    }

    public fun signature_to_bytes(sig: &Signature): vector<u8> {
        sig.bytes
    }

    public fun signature_verify_strict(signature: &Signature, public_key: &UnvalidatedPublicKey, message: vector<u8>): bool {
        let r = vector::slice(&signature.bytes, 0, 32);
        is_strict_point(&public_key.bytes) && is_strict_point(&r)
            && verify_internal(message, public_key.bytes, signature.bytes)
    }

    public fun signature_verify_strict_t<T: drop>(signature: &Signature, public_key: &UnvalidatedPublicKey, data: T): bool {
        signature_verify_strict(signature, public_key, bcs::to_bytes(&new_signed_message(data)))
    }

    public fun new_signed_message<T: drop>(data: T): SignedMessage<T> {
        SignedMessage { type_info: aptos_std::type_info::type_of<T>(), inner: data }
    }

    public fun unvalidated_public_key_to_authentication_key(pk: &UnvalidatedPublicKey): vector<u8> {
        let bytes = pk.bytes;
        bytes.push_back(SIGNATURE_SCHEME_ID);
        hash::sha3_256(bytes)
    }

    /// Canonical (y below 2^255 - 19) and not one of the points whose order divides 8. The sign bit is not part of y.
    fun is_strict_point(encoded: &vector<u8>): bool {
        let y = *encoded;
        let top = y.borrow_mut(31);
        *top = *top & 0x7f;
        if (is_at_least_p(&y)) return false;
        !(
            y == x"0000000000000000000000000000000000000000000000000000000000000000"
                || y == x"0100000000000000000000000000000000000000000000000000000000000000"
                || y == x"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
                || y == x"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
                || y == x"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
        )
    }

    /// Little-endian y >= 2^255 - 19: all middle bytes set and the lowest at least 0xed.
    fun is_at_least_p(y: &vector<u8>): bool {
        if (y[0] < 0xed || y[31] != 0x7f) return false;
        let i = 1;
        while (i < 31) {
            if (y[i] != 0xff) return false;
            i += 1;
        };
        true
    }

    native fun verify_internal(message: vector<u8>, public_key: vector<u8>, signature: vector<u8>): bool;

    #[test_only]
    const RFC8032_KEY: vector<u8> = x"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    #[test_only]
    const RFC8032_SIGNATURE: vector<u8> = x"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    #[test]
    fun the_second_vector_of_rfc_8032_verifies() {
        let pk = new_unvalidated_public_key_from_bytes(RFC8032_KEY);
        let sig = new_signature_from_bytes(RFC8032_SIGNATURE);
        assert!(signature_verify_strict(&sig, &pk, x"72"), 0);
        assert!(!signature_verify_strict(&sig, &pk, x"73"), 1);
    }

    #[test]
    fun each_altered_byte_breaks_it() {
        let pk = new_unvalidated_public_key_from_bytes(RFC8032_KEY);
        let i = 0;
        while (i < 64) {
            let bytes = RFC8032_SIGNATURE;
            let b = bytes.borrow_mut(i);
            *b = *b ^ 1;
            assert!(!signature_verify_strict(&new_signature_from_bytes(bytes), &pk, x"72"), i);
            i += 1;
        }
    }

    #[test]
    /// With the neutral element as key and as R, and S = 0, the equation holds for every message.
    fun points_of_small_order_are_refused() {
        let neutral = x"0100000000000000000000000000000000000000000000000000000000000000";
        let sig = neutral;
        sig.append(x"0000000000000000000000000000000000000000000000000000000000000000");
        assert!(verify_internal(b"anything", neutral, sig), 0);
        let pk = new_unvalidated_public_key_from_bytes(neutral);
        assert!(!signature_verify_strict(&new_signature_from_bytes(sig), &pk, b"anything"), 1);
        assert!(!is_strict_point(&x"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), 2);
        assert!(!is_strict_point(&x"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), 3);
    }

    #[test, expected_failure(abort_code = 0x10002)]
    fun a_short_signature_aborts() {
        new_signature_from_bytes(x"00");
    }
}
