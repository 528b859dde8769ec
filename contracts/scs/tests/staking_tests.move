#[test_only]
/// Bonds and penalties (G3): nobody's stake is trapped, nobody leaves before the delay, and only a certificate or a proven
/// equivocation takes anything.
module scs::staking_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::accountability;
    use scs::rewards;
    use scs::stage;
    use scs::staking;
    use scs::sym;
    use scs::treasury;
    use scs::vectors::{Self, Certified};

    const MASTER: u8 = 0;
    const ENTERPRISE: u8 = 1;
    const PRODUCER: u8 = 2;
    const DELAY: u64 = 7_200;

    fun at(i: u64): address { *vector::borrow(&vectors::accounts(), i) }

    /// The enterprise whom the vectors' penalties name.
    fun enterprise(amount: u64): signer {
        let owner = vector::remove(&mut stage::set(), 2);
        staking::stake(&owner, ENTERPRISE, amount);
        owner
    }

    fun bond_master(owner: &signer, i: u64, amount: u64) {
        staking::stake_master(
            owner, amount, *vector::borrow(&vectors::keys(0), i), *vector::borrow(&vectors::stake_signatures(), i)
        );
    }

    fun slash(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        staking::slash(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
        stage::check_conservation();
    }

    fun report() {
        let (master, head_a, signature_a, head_b, signature_b) = vectors::two_decide_votes().vote_parts();
        accountability::report(&account::create_signer_for_test(@0xca11e5), master, head_a, signature_a, head_b, signature_b);
        stage::check_conservation();
    }

    fun held(role: u8, owner: address): u64 {
        let (bonded, _, unbonding, _, _, _) = staking::bond(role, owner);
        bonded + unbonding
    }

    #[test]
    fun all_of_it_comes_back_after_the_delay() {
        let owner = enterprise(1_000);
        stage::check_conservation();
        staking::request_unbond(&owner, ENTERPRISE, 1_000);
        let (bonded, since, unbonding, _, _, _) = staking::bond(ENTERPRISE, at(2));
        assert!(bonded == 0 && since == 0 && unbonding == 1_000 && staking::unbond_seconds() == DELAY, 0);
        stage::wait(DELAY);
        staking::withdraw(&owner, ENTERPRISE);
        assert!(sym::balance(at(2)) == stage::each() && staking::total() == 0, 1);
        stage::check_conservation();
    }

    #[test]
    /// Ripe money waits for its owner without end.
    fun a_ripe_unbonding_never_expires() {
        let owner = enterprise(1_000);
        staking::request_unbond(&owner, ENTERPRISE, 400);
        stage::wait(100 * DELAY);
        staking::withdraw(&owner, ENTERPRISE);
        assert!(held(ENTERPRISE, at(2)) == 600, 0);
    }

    #[test, expected_failure(abort_code = 7, location = scs::staking)] // E_UNBOND_NOT_RIPE
    fun not_a_second_early() {
        let owner = enterprise(1_000);
        staking::request_unbond(&owner, ENTERPRISE, 1_000);
        stage::wait(DELAY - 1);
        staking::withdraw(&owner, ENTERPRISE);
    }

    #[test, expected_failure(abort_code = 5, location = scs::staking)] // E_UNBOND_PENDING
    fun one_unbonding_at_a_time() {
        let owner = enterprise(1_000);
        staking::request_unbond(&owner, ENTERPRISE, 400);
        staking::request_unbond(&owner, ENTERPRISE, 400);
    }

    #[test, expected_failure(abort_code = 4, location = scs::staking)] // E_STAKE_INSUFFICIENT
    fun no_more_than_is_bonded() { staking::request_unbond(&enterprise(1_000), ENTERPRISE, 1_001); }

    #[test, expected_failure(abort_code = 4, location = scs::staking)] // E_STAKE_INSUFFICIENT
    fun roles_are_apart() { staking::request_unbond(&enterprise(1_000), PRODUCER, 1); }

    #[test, expected_failure(abort_code = 6, location = scs::staking)] // E_NO_UNBOND
    fun nothing_to_withdraw() { staking::withdraw(&enterprise(1_000), ENTERPRISE); }

    #[test, expected_failure(abort_code = 6, location = scs::staking)] // E_NO_UNBOND
    fun nothing_to_cancel() { staking::cancel_unbond(&enterprise(1_000), ENTERPRISE); }

    #[test, expected_failure(abort_code = 1, location = scs::staking)] // E_ZERO_AMOUNT
    fun no_bond_of_nothing() { enterprise(0); }

    #[test, expected_failure(abort_code = 1, location = scs::staking)] // E_ZERO_AMOUNT
    fun no_unbonding_of_nothing() { staking::request_unbond(&enterprise(1), ENTERPRISE, 0); }

    #[test, expected_failure(abort_code = 2, location = scs::staking)] // E_UNKNOWN_ROLE
    fun nobody_bonds_as_a_master_by_name() {
        let owner = enterprise(1);
        staking::stake(&owner, MASTER, 1);
    }

    #[test, expected_failure(abort_code = 2, location = scs::staking)] // E_UNKNOWN_ROLE
    fun there_is_no_fourth_role() {
        let owner = enterprise(1);
        staking::stake(&owner, 3, 1);
    }

    #[test]
    /// K5: so much was bonded without a break since `since`; adding renews it, taking away doesn't, leaving and coming back does.
    fun since_when_it_is_bonded() {
        let owner = enterprise(1_000);
        let (_, first, _, _, _, _) = staking::bond(ENTERPRISE, at(2));
        stage::wait(10);
        staking::stake(&owner, ENTERPRISE, 5);
        let (_, renewed, _, _, _, _) = staking::bond(ENTERPRISE, at(2));
        assert!(renewed == first + 10, 0);
        staking::request_unbond(&owner, ENTERPRISE, 1_000);
        stage::wait(10);
        let (bonded, since, _, _, _, _) = staking::bond(ENTERPRISE, at(2));
        assert!(bonded == 5 && since == renewed, 2);
        assert!(staking::standing(ENTERPRISE, vector[at(2), at(3)]) == vector[5, 0], 3);
        staking::cancel_unbond(&owner, ENTERPRISE);
        let (bonded, since, unbonding, ripens_at, _, _) = staking::bond(ENTERPRISE, at(2));
        assert!(bonded == 1_005 && since == first + 20 && unbonding == 0 && ripens_at == 0, 1);
    }

    #[test]
    /// Repeats climb: 1 %, then 10 % for the same offence, then everything.
    fun penalties_climb() {
        let owner = enterprise(10_000);
        let (reserve, _, _, _, _) = treasury::totals();
        slash(vectors::slash_liveness());
        assert!(held(ENTERPRISE, at(2)) == 9_900, 0);
        slash(vectors::slash_liveness_again());
        assert!(held(ENTERPRISE, at(2)) == 8_910 && rewards::claimable(at(1)) == 247, 1);
        slash(vectors::slash_third());
        let (bonded, since, unbonding, _, offences, expelled) = staking::bond(ENTERPRISE, at(2));
        assert!(bonded == 0 && since == 0 && unbonding == 0 && offences == 3 && expelled, 2);
        let (now, _, _, _, _) = treasury::totals();
        assert!(now == reserve + 10_000 - 247, 3);
        staking::stake(&owner, PRODUCER, 1);
    }

    #[test, expected_failure(abort_code = 3, location = scs::staking)] // E_EXPELLED
    fun the_last_grade_takes_membership() {
        let owner = enterprise(10_000);
        slash(vectors::slash_liveness());
        slash(vectors::slash_liveness_again());
        slash(vectors::slash_third());
        staking::stake(&owner, ENTERPRISE, 1);
    }

    #[test]
    /// Unbond, then be found out: what is unbonding, or ripe and not fetched, is still at stake.
    fun unbonding_escapes_no_penalty() {
        let signers = stage::set();
        let owner = vector::borrow(&signers, 3);
        staking::stake(owner, PRODUCER, 1_000);
        staking::request_unbond(owner, PRODUCER, 900);
        stage::wait(DELAY);
        slash(vectors::slash_producer());
        let (bonded, _, unbonding, _, _, _) = staking::bond(PRODUCER, at(3));
        assert!(bonded == 0 && unbonding == 700 && rewards::claimable(at(1)) == 150, 0);
        staking::withdraw(owner, PRODUCER);
        assert!(sym::balance(at(3)) == stage::each() - 300, 1);
        stage::check_conservation();
    }

    #[test]
    /// Who has nothing loses nothing, the offence counts, and no call is stuck.
    fun a_penalty_without_a_bond() {
        stage::set();
        slash(vectors::slash_liveness());
        let (_, _, _, _, offences, _) = staking::bond(ENTERPRISE, at(2));
        assert!(offences == 1, 0);
    }

    #[test, expected_failure(abort_code = 11, location = scs::staking)] // E_ALREADY_SLASHED
    fun a_penalty_is_exacted_once() {
        enterprise(1_000);
        slash(vectors::slash_liveness());
        slash(vectors::slash_liveness());
    }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun an_altered_penalty() { enterprise(1); slash(vectors::slash_altered()); }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun a_penalty_of_one_master() { enterprise(1); slash(vectors::slash_of_one_vote()); }

    #[test, expected_failure(abort_code = 13, location = scs::staking)] // E_BAD_SHARE
    fun a_share_above_all() { enterprise(1); slash(vectors::slash_share_above_all()); }

    #[test, expected_failure(abort_code = 2, location = scs::staking)] // E_UNKNOWN_ROLE
    fun a_penalty_of_no_role() { enterprise(1); slash(vectors::slash_unknown_role()); }

    #[test, expected_failure(abort_code = 12, location = scs::staking)] // E_UNKNOWN_GRADE
    fun a_penalty_of_no_grade() { enterprise(1); slash(vectors::slash_unknown_grade()); }

    #[test, expected_failure(abort_code = 1, location = scs::reader)] // E_MALFORMED
    fun a_batch_is_no_penalty() { stage::set(); slash(vectors::batch_1()); }

    #[test]
    /// G4: equivocation takes the master's whole bond and membership, without a vote.
    fun equivocation_takes_the_bond() {
        let signers = stage::set();
        bond_master(vector::borrow(&signers, 0), 0, 500);
        bond_master(vector::borrow(&signers, 1), 1, 700);
        staking::request_unbond(vector::borrow(&signers, 1), MASTER, 300);
        report();
        let (_, _, _, _, _, expelled) = staking::bond(MASTER, at(1));
        assert!(held(MASTER, at(1)) == 0 && expelled && held(MASTER, at(0)) == 500, 0);
        assert!(staking::bonds_for(*vector::borrow(&vectors::keys(0), 1)) == vector[at(1)], 1);
    }

    #[test, expected_failure(abort_code = 8, location = scs::staking)] // E_BAD_SIGNATURE
    fun nobody_bonds_for_a_master_unasked() {
        let signers = stage::set();
        bond_master(vector::borrow(&signers, 0), 1, 500);
    }

    #[test, expected_failure(abort_code = 10, location = scs::staking)] // E_MASTER_TAKEN
    /// A master can't move on to an account without a past.
    fun a_master_has_one_account() {
        let signers = stage::set();
        bond_master(vector::borrow(&signers, 0), 0, 500);
        staking::stake_master(
            vector::borrow(&signers, 1), 1, *vector::borrow(&vectors::keys(0), 0), vectors::rival_signature()
        );
    }

    #[test, expected_failure(abort_code = 9, location = scs::staking)] // E_UNKNOWN_MASTER
    fun nobody_bonds_for_no_master() {
        let signers = stage::set();
        staking::stake_master(vector::borrow(&signers, 0), 1, vectors::genesis(), b"");
    }

    #[test]
    /// The table of `protocol/src/staking.ts`.
    fun penalties_are_those_of_the_protocol() {
        vector::for_each(vectors::penalties(), |row| {
            assert!(
                staking::penalty_of(*vector::borrow(&row, 0), *vector::borrow(&row, 1), *vector::borrow(&row, 2))
                    == *vector::borrow(&row, 3),
                *vector::borrow(&row, 0)
            );
        });
    }
}
