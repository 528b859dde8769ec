#[test_only]
/// Certificates and generations (G4, P5): each forged certificate of the vectors aborts by its own name.
module scs::committee_tests {
    use aptos_framework::account;
    use scs::committee;
    use scs::genesis;
    use scs::stage;
    use scs::vectors::{Self, Certified};

    fun advance(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        committee::advance(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
    }

    fun initialize_with(publisher: address, genesis: vector<u8>, keys: vector<vector<u8>>) {
        genesis::initialize(
            &account::create_signer_for_test(publisher), genesis, keys, vectors::recovery_keys(), false, vector[], vector[], 1, 60, 60
        );
    }

    #[test]
    fun a_committee_appoints_the_next() {
        stage::set();
        advance(vectors::committee_1());
        let (generation, keys) = committee::current();
        assert!(generation == 1 && keys == vectors::keys(1), 0);
        advance(vectors::next_committee_2());
        let (generation, _) = committee::current();
        assert!(generation == 2, 1);
    }

    #[test]
    /// P5: what the old committee decided and didn't land is certified again by the new one.
    fun a_batch_survives_its_committee() {
        stage::set();
        advance(vectors::committee_1());
        stage::settle(vectors::next_batch_1());
    }

    #[test, expected_failure(abort_code = 2, location = scs::committee)] // E_WRONG_GENERATION
    fun the_old_committee_settles_nothing_more() {
        stage::set();
        advance(vectors::committee_1());
        stage::settle(vectors::batch_1());
    }

    #[test, expected_failure(abort_code = 2, location = scs::committee)] // E_WRONG_GENERATION
    fun a_generation_is_appointed_once() {
        stage::set();
        advance(vectors::committee_1());
        advance(vectors::committee_1());
    }

    #[test, expected_failure(abort_code = 8, location = scs::committee)] // E_BAD_COMMITTEE
    fun no_master_gets_two_seats() { stage::set(); advance(vectors::same_key_twice()); }

    #[test, expected_failure(abort_code = 8, location = scs::committee)] // E_BAD_COMMITTEE
    fun a_committee_has_three_masters() { stage::set(); advance(vectors::two_keys()); }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun a_batch_is_no_committee() {
        stage::set();
        let (head, masters, signatures, _, siblings) = vectors::batch_1().parts();
        let (_, _, _, committee, _) = vectors::committee_1().parts();
        committee::advance(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, committee, siblings);
    }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun one_vote() { stage::set(); stage::settle(vectors::one_vote()); }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun no_vote() { stage::set(); stage::settle(vectors::no_vote()); }

    #[test, expected_failure(abort_code = 4, location = scs::committee)] // E_VOTES_NOT_ORDERED
    fun two_equal_votes() { stage::set(); stage::settle(vectors::two_equal_votes()); }

    #[test, expected_failure(abort_code = 4, location = scs::committee)] // E_VOTES_NOT_ORDERED
    fun descending_votes() { stage::set(); stage::settle(vectors::descending_votes()); }

    #[test, expected_failure(abort_code = 6, location = scs::committee)] // E_UNKNOWN_MASTER
    fun unknown_master() { stage::set(); stage::settle(vectors::unknown_master()); }

    #[test, expected_failure(abort_code = 6, location = scs::committee)] // E_UNKNOWN_MASTER
    fun more_masters_than_signatures() {
        stage::set();
        let (head, _, signatures, _, _) = vectors::batch_1().parts();
        committee::verify_head(head, vector[0, 1, 2], signatures);
    }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun swapped_signatures() { stage::set(); stage::settle(vectors::swapped_signatures()); }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun altered_height() { stage::set(); stage::settle(vectors::altered_height()); }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun untagged_signature() { stage::set(); stage::settle(vectors::untagged_signature()); }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun short_signature() {
        stage::set();
        let (head, masters, _, _, _) = vectors::batch_1().parts();
        committee::verify_head(head, masters, vector[b"short", b"short"]);
    }

    #[test, expected_failure(abort_code = 2, location = scs::committee)] // E_WRONG_GENERATION
    fun not_yet_appointed() { stage::set(); stage::settle(vectors::old_generation()); }

    #[test, expected_failure(abort_code = 1, location = scs::committee)] // E_WRONG_GENESIS
    fun other_genesis() { stage::set(); stage::settle(vectors::other_genesis()); }

    #[test, expected_failure(abort_code = 1, location = scs::reader)] // E_MALFORMED
    fun head_cut_short() {
        stage::set();
        committee::verify_head(vectors::genesis(), vector[0, 1], vector[]);
    }

    #[test, expected_failure(abort_code = 11, location = scs::committee)] // E_ALREADY_INITIALIZED
    fun initialised_once() {
        stage::set();
        initialize_with(@scs, vectors::genesis(), vectors::keys(1));
    }

    #[test, expected_failure(abort_code = 10, location = scs::committee)] // E_NOT_PUBLISHER
    fun only_the_publisher_initialises() { initialize_with(@0xbad, vectors::genesis(), vectors::keys(0)); }

    #[test, expected_failure(abort_code = 9, location = scs::committee)] // E_BAD_GENESIS
    fun a_genesis_digest_has_32_bytes() { initialize_with(@scs, b"short", vectors::keys(0)); }

    #[test]
    fun genesis_is_on_chain() {
        stage::set();
        let (digest, simulated) = committee::genesis();
        assert!(digest == vectors::genesis() && simulated && committee::is_initialized(), 0);
    }
}
