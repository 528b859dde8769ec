#[test_only]
/// Minting (K7): by chain time, never by how often anybody calls; nobody mints beyond the schedule.
module scs::inflation_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::inflation;
    use scs::rewards;
    use scs::settlement;
    use scs::stage;
    use scs::sym;
    use scs::vectors::{Self, Certified};

    const YEAR: u64 = 31_536_000;
    const GENESIS: u128 = 110_000_000;

    fun mint() {
        inflation::mint_due(&account::create_signer_for_test(@0xca11e5));
        stage::check_conservation();
    }

    fun pay(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        settlement::reward_nodes(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
        stage::check_conservation();
    }

    fun minted(): u128 { sym::total_supply() - GENESIS }

    #[test]
    /// 8 % of 110,000,000, then 5, 3 and 1.5 % of what there is at each year's start, then nothing.
    fun year_by_year() {
        stage::set();
        let totals = vector[8_800_000, 14_740_000, 18_482_200, 20_409_433, 20_409_433];
        for (i in 0..4) {
            stage::wait(YEAR);
            mint();
            assert!(minted() == *vector::borrow(&totals, i), i);
        };
        stage::wait(YEAR);
        assert!(inflation::due() == 0, 9);
        stage::wait(50 * YEAR);
        assert!(inflation::due() == 0, 10);
    }

    #[test]
    /// However often it is called: the same by the end of each day.
    fun calls_change_nothing() {
        stage::set();
        let (start, genesis, _, _) = inflation::schedule();
        let elapsed = 0;
        for (i in 0..500) {
            let step = 86_400 * (1 + i % 9) + i;
            stage::wait(step);
            elapsed = elapsed + step;
            if (inflation::due() > 0) mint();
            assert!(minted() == inflation::minted_by(genesis, elapsed), i);
        };
        assert!(start > 0 && elapsed > 5 * YEAR && minted() == 20_409_433, 501);
    }

    #[test]
    fun five_years_at_once() {
        stage::set();
        stage::wait(6 * YEAR);
        mint();
        assert!(minted() == 20_409_433, 0);
    }

    #[test, expected_failure(abort_code = 1, location = scs::inflation)] // E_NOTHING_DUE
    fun nothing_at_the_start() { stage::set(); mint(); }

    #[test, expected_failure(abort_code = 1, location = scs::inflation)] // E_NOTHING_DUE
    fun nothing_twice() {
        stage::set();
        stage::wait(YEAR);
        mint();
        mint();
    }

    #[test, expected_failure(abort_code = 1, location = scs::inflation)] // E_NOTHING_DUE
    fun nothing_after_five_years() {
        stage::set();
        stage::wait(5 * YEAR);
        mint();
        stage::wait(100 * YEAR);
        mint();
    }

    #[test]
    /// The table of `protocol/src/inflation.ts`, up to supplies of 2^64 - 1.
    fun the_schedule_is_that_of_the_protocol() {
        vector::for_each(vectors::mintings(), |row| {
            let elapsed = (*vector::borrow(&row, 1) as u64);
            assert!(inflation::minted_by(*vector::borrow(&row, 0), elapsed) == *vector::borrow(&row, 2), elapsed);
        });
    }

    #[test]
    fun nodes_are_rewarded_from_the_pot() {
        let signers = stage::set();
        stage::wait(YEAR);
        mint();
        pay(vectors::node_rewards());
        let (_, _, _, pot) = inflation::schedule();
        assert!(pot == 8_800_000 - 4_006, 0);
        rewards::claim(vector::borrow(&signers, 2));
        assert!(sym::balance(*vector::borrow(&vectors::accounts(), 2)) == stage::each() + 1_000, 1);
        stage::check_conservation();
    }

    #[test, expected_failure(abort_code = 9, location = scs::settlement)] // E_ALREADY_REWARDED
    fun nodes_are_rewarded_once() {
        stage::set();
        stage::wait(YEAR);
        mint();
        pay(vectors::node_rewards());
        pay(vectors::node_rewards());
    }

    #[test, expected_failure(abort_code = 2, location = scs::inflation)] // E_POT_INSUFFICIENT
    fun no_reward_before_it_is_minted() { stage::set(); pay(vectors::node_rewards()); }

    #[test, expected_failure(abort_code = 2, location = scs::inflation)] // E_POT_INSUFFICIENT
    fun no_reward_above_the_pot() {
        stage::set();
        stage::wait(5 * YEAR);
        mint();
        pay(vectors::node_rewards_above_pot());
    }

    #[test, expected_failure(abort_code = 8, location = scs::settlement)] // E_AMOUNT_OVERFLOW
    fun rewards_beyond_64_bits() { stage::set(); pay(vectors::node_rewards_overflow()); }

    #[test, expected_failure(abort_code = 4, location = scs::settlement)] // E_TRANSFERS_NOT_ORDERED
    fun one_account_twice() { stage::set(); pay(vectors::node_rewards_twice()); }
}
