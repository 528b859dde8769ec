#[test_only]
/// What was in force when (G1, G2, X4): in order, once, only forward, certified.
module scs::governance_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::governance;
    use scs::stage;
    use scs::vectors::{Self, Certified};

    fun record(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        governance::record(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
    }

    #[test]
    /// A version may be skipped, an epoch may not.
    fun epochs_are_on_record() {
        stage::set();
        record(vectors::epoch_1());
        record(vectors::epoch_2());
        record(vectors::epoch_3());
        let (next, policy_version, protocol_version) = governance::current();
        assert!(next == 4 && governance::is_recorded(3) && !governance::is_recorded(4) && policy_version == 3 && protocol_version == 2, 0);
        let (digest, policy_version, protocol_version) = governance::epoch(1);
        assert!(vector::length(&digest) == 32 && policy_version == 1 && protocol_version == 1, 1);
        assert!(governance::policy(1) != governance::policy(3), 2);
    }

    #[test, expected_failure(abort_code = 1, location = scs::governance)] // E_ALREADY_RECORDED
    fun once() {
        stage::set();
        record(vectors::epoch_1());
        record(vectors::epoch_1());
    }

    #[test, expected_failure(abort_code = 2, location = scs::governance)] // E_OUT_OF_ORDER
    fun in_order() { stage::set(); record(vectors::epoch_2()); }

    #[test, expected_failure(abort_code = 3, location = scs::governance)] // E_VERSION_BACKWARD
    fun no_policy_comes_back() {
        stage::set();
        record(vectors::epoch_1());
        record(vectors::epoch_2_policy_back());
    }

    #[test, expected_failure(abort_code = 3, location = scs::governance)] // E_VERSION_BACKWARD
    fun no_protocol_comes_back() {
        stage::set();
        record(vectors::epoch_1());
        record(vectors::epoch_2_protocol_back());
    }

    #[test, expected_failure(abort_code = 4, location = scs::governance)] // E_POLICY_CHANGED
    fun a_version_has_one_content() {
        stage::set();
        record(vectors::epoch_1());
        record(vectors::epoch_2_policy_changed());
    }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun only_what_was_certified() {
        stage::set();
        let (head, masters, signatures, _, siblings) = vectors::epoch_1().parts();
        let (_, _, _, other, _) = vectors::epoch_2().parts();
        governance::record(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, other, siblings);
    }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun not_by_one_master() {
        stage::set();
        let (head, _, signatures, leaf, siblings) = vectors::epoch_1().parts();
        let first = vector[*vector::borrow(&signatures, 0)];
        governance::record(&account::create_signer_for_test(@0xca11e5), head, vector[0], first, leaf, siblings);
    }

    #[test, expected_failure(abort_code = 5, location = scs::governance)] // E_UNKNOWN_EPOCH
    fun an_open_epoch_is_unknown() { stage::set(); governance::epoch(1); }

    #[test, expected_failure(abort_code = 6, location = scs::governance)] // E_UNKNOWN_POLICY
    fun a_policy_to_come_is_unknown() { stage::set(); governance::policy(1); }
}
