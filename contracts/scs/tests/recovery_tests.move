#[test_only]
/// Recovery of a lost committee (N9, P5), and that nobody's money waits for it.
module scs::recovery_tests {
    use std::vector;
    use aptos_framework::account;
    use aptos_framework::timestamp;
    use scs::committee;
    use scs::dividends;
    use scs::escrow;
    use scs::genesis;
    use scs::recovery;
    use scs::rewards;
    use scs::settlement;
    use scs::stage;
    use scs::staking;
    use scs::sym;
    use scs::vectors::{Self, Certified};

    fun anyone(): signer { account::create_signer_for_test(@0xca11e5) }

    fun delay(): u64 {
        let (_, delay) = recovery::terms();
        delay
    }

    fun open(claim: vector<u8>, signers: vector<u8>, signatures: vector<vector<u8>>) {
        recovery::open(&anyone(), claim, signers, signatures);
    }

    fun open_first() {
        let (claim, signers, signatures) = vectors::claim_1();
        open(claim, signers, signatures);
    }

    fun cancel(leaf: Certified) {
        let (head, masters, signatures, _, _) = leaf.parts();
        recovery::cancel(&anyone(), head, masters, signatures);
    }

    #[test]
    /// N9: two of three recovery keys, the delay, and a generation that settles what the old one decided (P5).
    fun a_lost_committee_is_replaced() {
        stage::set();
        stage::settle(vectors::batch_1());
        open_first();
        let (round, is_pending, generation, height, ripens_at) = recovery::pending();
        assert!(round == 1 && is_pending && generation == 1 && height == 7, 0);
        assert!(ripens_at == timestamp::now_seconds() + 3 * stage::delay(), 1);
        stage::wait(delay());
        recovery::complete(&anyone());
        let (generation, keys) = committee::current();
        assert!(generation == 1 && keys == vectors::keys(1) && committee::highest() == 7, 2);
        let (_, is_pending, _, _, _) = recovery::pending();
        assert!(!is_pending, 3);
        committee_2();
    }

    fun committee_2() {
        let (head, masters, signatures, value, siblings) = vectors::next_committee_2().parts();
        committee::advance(&anyone(), head, masters, signatures, value, siblings);
    }

    #[test]
    /// Living masters end it by any certificate of a higher height, even in the last second; the next claim starts higher.
    fun a_higher_height_cancels() {
        stage::set();
        open_first();
        stage::wait(delay());
        cancel(vectors::epoch_1());
        let (round, is_pending, _, _, _) = recovery::pending();
        assert!(round == 1 && !is_pending && committee::highest() == 30, 0);
    }

    #[test, expected_failure(abort_code = 4, location = scs::recovery)] // E_BEHIND
    /// Whatever is settled with a higher certificate is enough.
    fun a_settlement_of_a_higher_height_ends_it_too() {
        stage::set();
        open_first();
        settle_node_rewards();
        stage::wait(delay());
        recovery::complete(&anyone());
    }

    fun settle_node_rewards() {
        stage::wait(86_400);
        scs::inflation::mint_due(&anyone());
        let (head, masters, signatures, value, siblings) = vectors::node_rewards().parts();
        settlement::reward_nodes(&anyone(), head, masters, signatures, value, siblings);
    }

    #[test]
    /// A claim of a higher height takes the place of one that knew less; the delay begins anew.
    fun a_claim_is_raised() {
        stage::set();
        open_first();
        stage::wait(delay() - 1);
        let (claim, signers, signatures) = vectors::claim_2();
        open(claim, signers, signatures);
        let (round, _, _, height, ripens_at) = recovery::pending();
        assert!(round == 2 && height == 8 && ripens_at == timestamp::now_seconds() + delay(), 0);
    }

    #[test, expected_failure(abort_code = 6, location = scs::recovery)] // E_RECOVERY_NOT_RIPE
    fun not_before_its_time() {
        stage::set();
        open_first();
        stage::wait(delay() - 1);
        recovery::complete(&anyone());
    }

    #[test, expected_failure(abort_code = 5, location = scs::recovery)] // E_NO_RECOVERY
    fun not_twice() {
        stage::set();
        open_first();
        stage::wait(delay());
        recovery::complete(&anyone());
        recovery::complete(&anyone());
    }

    #[test, expected_failure(abort_code = 5, location = scs::recovery)] // E_NO_RECOVERY
    fun nothing_to_cancel() { stage::set(); cancel(vectors::batch_1()); }

    #[test, expected_failure(abort_code = 7, location = scs::recovery)] // E_NOT_HIGHER
    fun the_same_height_cancels_nothing() {
        stage::set();
        open_first();
        cancel(vectors::batch_1());
    }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun one_master_cancels_nothing() {
        stage::set();
        open_first();
        cancel(vectors::one_vote());
    }

    #[test, expected_failure(abort_code = 2, location = scs::recovery)] // E_WRONG_ROUND
    /// Nobody begins the delay anew by sending a claim again.
    fun a_claim_is_used_once() {
        stage::set();
        open_first();
        open_first();
    }

    #[test, expected_failure(abort_code = 2, location = scs::recovery)] // E_WRONG_ROUND
    fun a_cancelled_claim_is_used_up() {
        stage::set();
        open_first();
        cancel(vectors::epoch_1());
        open_first();
    }

    #[test, expected_failure(abort_code = 2, location = scs::recovery)] // E_WRONG_ROUND
    fun claims_come_in_turn() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_out_of_turn();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 4, location = scs::recovery)] // E_BEHIND
    fun no_claim_below_what_is_known() {
        stage::set();
        let (head, masters, signatures, value, siblings) = vectors::epoch_1().parts();
        scs::governance::record(&anyone(), head, masters, signatures, value, siblings);
        open_first();
    }

    #[test, expected_failure(abort_code = 3, location = scs::recovery)] // E_WRONG_GENERATION
    fun only_the_next_generation() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_a_later_generation();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 2, location = scs::committee)] // E_WRONG_GENERATION
    /// The committee came back and appointed its successor: what was claimed before is void.
    fun an_appointed_successor_stands() {
        stage::set();
        open_first();
        let (head, masters, signatures, value, siblings) = vectors::committee_1().parts();
        committee::advance(&anyone(), head, masters, signatures, value, siblings);
        stage::wait(delay());
        recovery::complete(&anyone());
    }

    #[test, expected_failure(abort_code = 1, location = scs::recovery)] // E_WRONG_GENESIS
    fun of_another_group() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_another_genesis();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 3, location = scs::committee)] // E_TOO_FEW_VOTES
    fun one_recovery_key() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_one_key();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 4, location = scs::committee)] // E_VOTES_NOT_ORDERED
    fun one_recovery_key_twice() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_equal_keys();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun masters_keys_recover_nothing() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_masters();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun signed_for_something_else() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_untagged();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 5, location = scs::committee)] // E_BAD_SIGNATURE
    fun an_altered_claim() {
        stage::set();
        let (_, signers, signatures) = vectors::claim_1();
        let (claim, _, _) = vectors::claim_2();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 8, location = scs::committee)] // E_BAD_COMMITTEE
    fun no_committee_of_two() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_two_masters();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 8, location = scs::committee)] // E_BAD_COMMITTEE
    fun no_master_with_two_seats() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_of_equal_masters();
        open(claim, signers, signatures);
    }

    #[test, expected_failure(abort_code = 8, location = scs::committee)] // E_BAD_COMMITTEE
    fun three_different_recovery_keys() {
        let (key, keys) = (vectors::recovery_keys(), vectors::keys(0));
        let twice = vector[*vector::borrow(&key, 0), *vector::borrow(&key, 0), *vector::borrow(&key, 1)];
        genesis::initialize(&account::create_signer_for_test(@scs), vectors::genesis(), keys, twice, true, vector[], vector[], 1, 60, 60);
    }

    #[test]
    /// K2: the masters vanish for good, nobody recovers anything, and every owner gets all that is theirs: escrow, bonds of each
    /// role, rewards, dividends. What stays is the treasury's and the pot's, and the worth of no owner.
    fun owners_get_all_when_the_masters_vanish() {
        let signers = stage::set();
        let accounts = vectors::accounts();
        let (alice, bob) = (vector::borrow(&signers, 0), vector::borrow(&signers, 1));
        escrow::deposit(alice, 5_000_000);
        escrow::deposit(bob, 5_000_000);
        let key = *vector::borrow(&vectors::keys(0), 0);
        staking::stake_master(alice, 1_000_000, key, *vector::borrow(&vectors::stake_signatures(), 0));
        staking::stake(bob, 1, 1_000_000);
        staking::stake(vector::borrow(&signers, 2), 2, 1_000_000);
        stage::settle(vectors::batch_1());
        let (head, masters, signatures, value, siblings) = vectors::dividends_1().parts();
        dividends::publish(&anyone(), head, masters, signatures, value, siblings);
        // From here on, no certificate.
        let (supply, _, _, reserve, pot, _, minted) = settlement::supply();
        leave(&signers);
        for (i in 2..6) rewards::claim(vector::borrow(&signers, i));
        for (i in 0..5) {
            let (index, amount, path) = vectors::dividend_claim(1, i);
            dividends::claim(vector::borrow(&signers, i + 1), vector[1], vector[index], vector[amount], vector[path]);
        };
        let hands = 0u128;
        vector::for_each(accounts, |a| { hands = hands + (sym::balance(a) as u128); });
        let (_, escrowed, rewards_left, reserve_left, pot_left, staked, minted_left) = settlement::supply();
        assert!(escrowed == 0 && rewards_left == 0 && staked == 0 && dividends::promised() == 0, 0);
        assert!(reserve_left == reserve && minted_left == minted && pot_left <= pot, 1);
        assert!(hands + ((reserve_left + pot_left + minted_left) as u128) == supply, 2);
        stage::check_conservation();
    }

    /// Everyone asks for everything at once, waits, and fetches it: before a recovery opened at the same time could ripen.
    fun leave(signers: &vector<signer>) {
        let began = timestamp::now_seconds();
        let (alice, bob, producer) = (vector::borrow(signers, 0), vector::borrow(signers, 1), vector::borrow(signers, 2));
        vector::for_each(vector[0, 1], |i| {
            let (balance, _, _, _, _) = escrow::account(*vector::borrow(&vectors::accounts(), i));
            escrow::request_withdrawal(vector::borrow(signers, i), balance);
        });
        staking::request_unbond(alice, 0, 1_000_000);
        staking::request_unbond(bob, 1, 1_000_000);
        staking::request_unbond(producer, 2, 1_000_000);
        stage::wait(stage::delay());
        escrow::withdraw(alice);
        escrow::withdraw(bob);
        stage::wait(staking::unbond_seconds() - stage::delay());
        staking::withdraw(alice, 0);
        staking::withdraw(bob, 1);
        staking::withdraw(producer, 2);
        assert!(timestamp::now_seconds() < began + delay(), 3);
    }
}
