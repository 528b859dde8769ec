#[test_only]
/// The attack table of equivocation (G3, G4): two decide votes convict, nothing else does.
module scs::accountability_tests {
    use aptos_framework::account;
    use scs::accountability;
    use scs::committee;
    use scs::stage;
    use scs::vectors::{Self, TwoVotes};

    fun report(votes: TwoVotes) {
        let (master, head_a, signature_a, head_b, signature_b) = votes.vote_parts();
        accountability::report(&account::create_signer_for_test(@0xca11e5), master, head_a, signature_a, head_b, signature_b);
    }

    fun advance() {
        let (head, masters, signatures, value, siblings) = vectors::committee_1().parts();
        committee::advance(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
    }

    #[test]
    fun two_decide_votes_convict() {
        stage::set();
        let (proven, _) = accountability::equivocated(0, 1);
        assert!(!proven, 0);
        report(vectors::two_decide_votes());
        let (proven, height) = accountability::equivocated(0, 1);
        assert!(proven && height == 7, 1);
        let (other, _) = accountability::equivocated(0, 0);
        let (next, _) = accountability::equivocated(1, 1);
        assert!(!other && !next, 2);
    }

    #[test]
    /// What a master signed stays provable after its committee has gone.
    fun an_old_generation_is_still_judged() {
        stage::set();
        advance();
        report(vectors::two_decide_votes());
        report(vectors::two_votes_of_the_next_committee());
        let (proven, _) = accountability::equivocated(1, 0);
        assert!(proven, 0);
    }

    #[test, expected_failure(abort_code = 3, location = scs::accountability)] // E_ALREADY_RECORDED
    fun once_a_generation_and_master() {
        stage::set();
        report(vectors::two_decide_votes());
        report(vectors::two_decide_votes());
    }

    #[test, expected_failure(abort_code = 1, location = scs::accountability)] // E_SAME_HEAD
    fun one_head_signed_twice() { stage::set(); report(vectors::same_head_twice()); }

    #[test, expected_failure(abort_code = 2, location = scs::accountability)] // E_DIFFERENT_SLOTS
    fun heads_of_two_heights() { stage::set(); report(vectors::two_heights()); }

    #[test, expected_failure(abort_code = 2, location = scs::accountability)] // E_DIFFERENT_SLOTS
    fun heads_of_two_generations() {
        stage::set();
        advance();
        report(vectors::two_generations());
    }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun two_in_view_messages() { stage::set(); report(vectors::two_in_view_messages()); }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun one_in_view_message() { stage::set(); report(vectors::one_in_view_message()); }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun votes_of_two_masters() { stage::set(); report(vectors::votes_of_two_masters()); }

    #[test, expected_failure(abort_code = 6, location = scs::committee)] // E_UNKNOWN_MASTER
    fun there_is_no_fourth_master() { stage::set(); report(vectors::fourth_master()); }

    #[test, expected_failure(abort_code = 1, location = scs::committee)] // E_WRONG_GENESIS
    fun votes_of_another_group() { stage::set(); report(vectors::foreign_genesis()); }

    #[test, expected_failure(abort_code = 2, location = scs::committee)] // E_WRONG_GENERATION
    fun a_committee_not_yet_appointed() { stage::set(); report(vectors::two_votes_of_the_next_committee()); }
}
