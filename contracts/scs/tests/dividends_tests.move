#[test_only]
/// Claims (K5, K6): by proof, once, one's own, never beyond a root's total; several roots in one claim.
module scs::dividends_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::dividends;
    use scs::escrow;
    use scs::stage;
    use scs::staking;
    use scs::sym;
    use scs::treasury;
    use scs::vectors::{Self, Certified};

    const POT: u64 = 210_000;
    const PRODUCER: u8 = 2;

    fun set(): vector<signer> {
        let signers = stage::set();
        escrow::deposit(vector::borrow(&signers, 0), 5_000_000);
        escrow::deposit(vector::borrow(&signers, 1), 5_000_000);
        stage::settle(vectors::batch_1());
        signers
    }

    fun publish(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        dividends::publish(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
        stage::check_conservation();
    }

    fun claim(who: &signer, number: u64, i: u64) {
        let (index, amount, path) = vectors::dividend_claim(number, i);
        dividends::claim(who, vector[number], vector[index], vector[amount], vector[path]);
        stage::check_conservation();
    }

    fun pot(): u64 {
        let (_, pot, _, _, _) = treasury::totals();
        pot
    }

    #[test]
    fun everyone_fetches_their_own() {
        let signers = set();
        publish(vectors::dividends_1());
        assert!(pot() == POT && dividends::promised() == 50_010, 0);
        let before = sym::balance(*vector::borrow(&vectors::accounts(), 1));
        for (i in 0..5) claim(vector::borrow(&signers, i + 1), 1, i);
        assert!(sym::balance(*vector::borrow(&vectors::accounts(), 1)) == before + 10_000, 1);
        let (_, count, total, paid) = dividends::root(1);
        assert!(count == 5 && paid == total && dividends::promised() == 0 && pot() == POT - 50_010, 2);
        assert!(dividends::is_claimed(1, 4) && !dividends::is_claimed(2, 4), 3);
    }

    #[test]
    fun several_roots_in_one_claim() {
        let signers = set();
        publish(vectors::dividends_2());
        publish(vectors::dividends_1());
        let (a, x, p) = vectors::dividend_claim(1, 0);
        let (b, y, q) = vectors::dividend_claim(2, 0);
        let before = sym::balance(*vector::borrow(&vectors::accounts(), 1));
        dividends::claim(vector::borrow(&signers, 1), vector[1, 2], vector[a, b], vector[x, y], vector[p, q]);
        assert!(sym::balance(*vector::borrow(&vectors::accounts(), 1)) == before + 15_000, 0);
        stage::check_conservation();
    }

    #[test]
    /// K5: the second root asks for a bond of 1,000 from the first 100 seconds on. Half for who has none, too little, or came late;
    /// the other half goes to the treasury.
    fun who_has_no_stake_gets_half() {
        let signers = set();
        let (staked, late, little) = (vector::borrow(&signers, 1), vector::borrow(&signers, 2), vector::borrow(&signers, 3));
        staking::stake(staked, PRODUCER, 1_000);
        staking::stake(late, PRODUCER, 1);
        staking::stake(little, PRODUCER, 999);
        stage::wait(101);
        staking::stake(late, PRODUCER, 999);
        publish(vectors::dividends_2());
        let (reserve, _, _, _, _) = treasury::totals();
        let hands = vector::map(vector[1, 2, 3], |i| sym::balance(*vector::borrow(&vectors::accounts(), i)));
        for (i in 0..3) claim(vector::borrow(&signers, i + 1), 2, i);
        let got = vector::map(vector[0, 1, 2], |i| sym::balance(*vector::borrow(&vectors::accounts(), i + 1)) - *vector::borrow(&hands, i));
        let (now, _, _, _, _) = treasury::totals();
        assert!(got == vector[10_000, 5_000, 5_001] && now == reserve + 10_002 && pot() == POT - 30_003, 0);
    }

    #[test]
    /// K6: what nobody claimed until the end is in the pot for the next roots.
    fun an_expired_root_rolls_over() {
        let signers = set();
        publish(vectors::dividends_2());
        claim(vector::borrow(&signers, 1), 2, 0);
        stage::wait(100_000);
        dividends::roll_over(vector::borrow(&signers, 0), 2);
        stage::check_conservation();
        assert!(dividends::promised() == 0 && pot() == POT - 10_000, 0);
        let (_, _, total, paid) = dividends::root(2);
        assert!(total == 10_000 && paid == 10_000, 1);
    }

    #[test, expected_failure(abort_code = 7, location = scs::dividends)] // E_ABOVE_TOTAL
    fun what_rolled_over_is_claimed_no_more() {
        let signers = set();
        publish(vectors::dividends_2());
        stage::wait(100_000);
        dividends::roll_over(vector::borrow(&signers, 0), 2);
        claim(vector::borrow(&signers, 1), 2, 0);
    }

    #[test]
    /// An expired root pays until somebody rolls it over.
    fun late_claims_are_paid() {
        let signers = set();
        publish(vectors::dividends_2());
        stage::wait(100_000);
        claim(vector::borrow(&signers, 1), 2, 0);
    }

    #[test, expected_failure(abort_code = 9, location = scs::dividends)] // E_NOT_EXPIRED
    fun nothing_rolls_over_before_its_time() {
        let signers = set();
        publish(vectors::dividends_2());
        stage::wait(99_999);
        dividends::roll_over(vector::borrow(&signers, 0), 2);
    }

    #[test, expected_failure(abort_code = 2, location = scs::dividends)] // E_ZERO_AMOUNT
    fun nothing_rolls_over_twice() {
        let signers = set();
        publish(vectors::dividends_2());
        stage::wait(100_000);
        dividends::roll_over(vector::borrow(&signers, 0), 2);
        dividends::roll_over(vector::borrow(&signers, 0), 2);
    }

    #[test, expected_failure(abort_code = 4, location = scs::dividends)] // E_UNKNOWN_ROOT
    fun no_root_no_roll_over() { dividends::roll_over(vector::borrow(&set(), 0), 1); }

    #[test, expected_failure(abort_code = 5, location = scs::dividends)] // E_ALREADY_CLAIMED
    fun nobody_claims_twice() {
        let signers = set();
        publish(vectors::dividends_1());
        claim(vector::borrow(&signers, 1), 1, 0);
        claim(vector::borrow(&signers, 1), 1, 0);
    }

    #[test, expected_failure(abort_code = 5, location = scs::dividends)] // E_ALREADY_CLAIMED
    fun nor_twice_in_one_claim() {
        let signers = set();
        publish(vectors::dividends_1());
        let (index, amount, path) = vectors::dividend_claim(1, 0);
        dividends::claim(vector::borrow(&signers, 1), vector[1, 1], vector[index, index], vector[amount, amount], vector[path, path]);
    }

    #[test, expected_failure(abort_code = 6, location = scs::dividends)] // E_PATH_MISMATCH
    fun nobody_claims_anothers() {
        let signers = set();
        publish(vectors::dividends_1());
        claim(vector::borrow(&signers, 2), 1, 0);
    }

    #[test, expected_failure(abort_code = 6, location = scs::dividends)] // E_PATH_MISMATCH
    fun nobody_claims_more() {
        let signers = set();
        publish(vectors::dividends_1());
        let (index, amount, path) = vectors::dividend_claim(1, 0);
        dividends::claim(vector::borrow(&signers, 1), vector[1], vector[index], vector[amount + 1], vector[path]);
    }

    #[test, expected_failure(abort_code = 7, location = scs::dividends)] // E_ABOVE_TOTAL
    /// K6: leaves that promise more than their root: the first are paid, no other root pays for them.
    fun no_root_pays_beyond_its_total() {
        let signers = set();
        publish(vectors::dividends_1());
        publish(vectors::dividends_overdrawn());
        let (index, amount, path) = vectors::dividend_claim(1, 0);
        dividends::claim(vector::borrow(&signers, 1), vector[3], vector[index], vector[amount], vector[path]);
        let (index, amount, path) = vectors::dividend_claim(1, 1);
        dividends::claim(vector::borrow(&signers, 2), vector[3], vector[index], vector[amount], vector[path]);
    }

    #[test, expected_failure(abort_code = 1, location = scs::dividends)] // E_ALREADY_PUBLISHED
    fun a_root_is_published_once() {
        set();
        publish(vectors::dividends_1());
        publish(vectors::dividends_1());
    }

    #[test, expected_failure(abort_code = 3, location = scs::dividends)] // E_POT_INSUFFICIENT
    fun no_root_above_the_pot() { set(); publish(vectors::dividends_above_pot()); }

    #[test, expected_failure(abort_code = 3, location = scs::dividends)] // E_POT_INSUFFICIENT
    fun no_root_before_the_pot_is_funded() { stage::set(); publish(vectors::dividends_1()); }

    #[test, expected_failure(abort_code = 2, location = scs::dividends)] // E_ZERO_AMOUNT
    fun no_root_of_nothing() { set(); publish(vectors::dividends_of_nothing()); }

    #[test, expected_failure(abort_code = 4, location = scs::dividends)] // E_UNKNOWN_ROOT
    fun no_claim_without_a_root() { claim(vector::borrow(&set(), 1), 1, 0); }

    #[test, expected_failure(abort_code = 2, location = scs::dividends)] // E_ZERO_AMOUNT
    fun no_claim_of_nothing() { dividends::claim(vector::borrow(&set(), 1), vector[], vector[], vector[], vector[]); }

    #[test, expected_failure(abort_code = 8, location = scs::dividends)] // E_BAD_CLAIM
    fun one_path_a_root() { dividends::claim(vector::borrow(&set(), 1), vector[1], vector[0], vector[1], vector[]); }
}
