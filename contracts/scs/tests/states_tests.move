#[test_only]
/// No money is ever trapped (K2): ends of states that no other test shows by themselves. The table in docs/contracts.md names one
/// test for each state and each way to end it.
module scs::states_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::dividends;
    use scs::escrow;
    use scs::genesis;
    use scs::inflation;
    use scs::recovery;
    use scs::rewards;
    use scs::stage;
    use scs::staking;
    use scs::sym;
    use scs::treasury;
    use scs::vectors;

    const PRODUCER: u8 = 2;
    const MAX_U64: u64 = 18_446_744_073_709_551_615;

    fun at(i: u64): address { *vector::borrow(&vectors::accounts(), i) }

    fun anyone(): signer { account::create_signer_for_test(@0xca11e5) }

    /// The first account with 500 in escrow.
    fun alice(): signer {
        let owner = vector::remove(&mut stage::set(), 0);
        escrow::deposit(&owner, 500);
        owner
    }

    #[test]
    fun an_unripe_withdrawal_is_cancelled() {
        let owner = alice();
        escrow::request_withdrawal(&owner, 300);
        escrow::cancel_withdrawal(&owner);
        let (balance, withdrawing, _, _, _) = escrow::account(at(0));
        assert!(balance == 500 && withdrawing == 0, 0);
    }

    #[test]
    fun a_ripe_withdrawal_is_cancelled() {
        let owner = alice();
        escrow::request_withdrawal(&owner, 300);
        stage::wait(stage::delay());
        escrow::cancel_withdrawal(&owner);
        let (balance, withdrawing, _, _, _) = escrow::account(at(0));
        assert!(balance == 500 && withdrawing == 0, 0);
    }

    #[test]
    fun an_unbonding_is_cancelled_ripe_or_not() {
        let owner = vector::remove(&mut stage::set(), 2);
        staking::stake(&owner, PRODUCER, 100);
        staking::request_unbond(&owner, PRODUCER, 40);
        staking::cancel_unbond(&owner, PRODUCER);
        staking::request_unbond(&owner, PRODUCER, 60);
        stage::wait(staking::unbond_seconds());
        staking::cancel_unbond(&owner, PRODUCER);
        let (bonded, _, unbonding, _, _, _) = staking::bond(PRODUCER, at(2));
        assert!(bonded == 100 && unbonding == 0, 0);
    }

    #[test]
    /// Who is expelled has lost the bond, not the right to what was left of it: nothing is.
    fun an_expelled_bond_is_empty() {
        let owner = vector::remove(&mut stage::set(), 2);
        staking::stake_master(&owner, 100, *vector::borrow(&vectors::keys(0), 2), *vector::borrow(&vectors::stake_signatures(), 2));
        staking::convict(*vector::borrow(&vectors::keys(0), 2));
        let (bonded, _, unbonding, _, _, expelled) = staking::bond(0, at(2));
        assert!(bonded == 0 && unbonding == 0 && expelled && staking::total() == 0, 0);
        stage::check_conservation();
    }

    #[test]
    /// The reserve leaves by advances: what escrows lack, the workers get all the same (P3).
    fun the_reserve_advances() {
        let signers = stage::set();
        stage::settle(vectors::batch_1());
        rewards::claim(vector::borrow(&signers, 2));
        let (reserve, _, rewards_owed, dividends_owed, advanced) = treasury::totals();
        assert!(advanced == 1_400_001 && rewards_owed == 0 && dividends_owed == 0, 0);
        assert!(reserve < stage::reserve() && rewards::claimable(at(2)) == 0, 1);
        stage::check_conservation();
    }

    #[test]
    /// Anyone's donation funds what is owed.
    fun owed_rewards_are_funded_by_anyone() {
        let signers = stage::set_with_reserve(0);
        stage::settle(vectors::batch_1());
        treasury::fund(vector::borrow(&signers, 5), 2_000_000);
        let earned = rewards::claimable(at(2));
        rewards::claim(vector::borrow(&signers, 2));
        assert!(earned > 0 && sym::balance(at(2)) == stage::each() + earned, 0);
        stage::check_conservation();
    }

    #[test]
    fun anyone_mints_what_is_due() {
        stage::set();
        stage::wait(86_400);
        let due = inflation::due();
        inflation::mint_due(&anyone());
        let (_, _, minted, pot) = inflation::schedule();
        assert!(due > 0 && minted == (due as u128) && pot == due, 0);
        stage::check_conservation();
    }

    #[test]
    fun a_recovery_is_never_stuck() {
        stage::set();
        let (claim, signers, signatures) = vectors::claim_1();
        recovery::open(&anyone(), claim, signers, signatures);
        let (claim, signers, signatures) = vectors::claim_2();
        recovery::open(&anyone(), claim, signers, signatures);
        let (_, delay) = recovery::terms();
        // Nobody has to be in time.
        stage::wait(100 * delay);
        recovery::complete(&anyone());
        let (round, is_pending, _, _, _) = recovery::pending();
        assert!(round == 2 && !is_pending, 0);
    }

    #[test]
    /// Batches never fail for one account: neither a balance nor a debt overflows, however much is certified.
    fun no_account_makes_a_batch_fail() {
        stage::set();
        for (i in 0..3) {
            rewards::credit(at(2), MAX_U64);
            let (taken, shortfall) = escrow::charge(at(0), MAX_U64);
            assert!(taken == 0 && shortfall == MAX_U64, i);
            treasury::settle(escrow::release(0), MAX_U64, MAX_U64, 0);
        };
        let (_, _, _, _, debt) = escrow::account(at(0));
        assert!(rewards::claimable(at(2)) == MAX_U64 && debt == MAX_U64, 3);
        let (_, _, rewards_owed, _, advanced) = treasury::totals();
        assert!(advanced == 3 * (MAX_U64 as u128) && rewards_owed == 3 * (MAX_U64 as u128) - (stage::reserve() as u128), 4);
    }

    #[test]
    /// One base unit is an amount like any other: nothing of it is rounded away.
    fun dust_is_kept_to_the_last_unit() {
        let signers = stage::set();
        let owner = vector::borrow(&signers, 0);
        escrow::deposit(owner, 1);
        escrow::request_withdrawal(owner, 1);
        stage::wait(stage::delay());
        escrow::withdraw(owner);
        staking::stake(owner, PRODUCER, 1);
        assert!(staking::penalty_of(1, 0, 0) == 1 && sym::balance(at(0)) == stage::each() - 1, 0);
        staking::request_unbond(owner, PRODUCER, 1);
        stage::wait(staking::unbond_seconds());
        staking::withdraw(owner, PRODUCER);
        treasury::fund(owner, 1);
        assert!(sym::balance(at(0)) == stage::each() - 1, 1);
        stage::check_conservation();
    }

    #[test, expected_failure(abort_code = 6, location = scs::staking)] // E_NO_UNBOND
    /// Unbond, misbehave, and find nothing.
    fun a_slashed_unbonding_is_gone() {
        let owner = vector::remove(&mut stage::set(), 2);
        let key = *vector::borrow(&vectors::keys(0), 2);
        staking::stake_master(&owner, 1_000, key, *vector::borrow(&vectors::stake_signatures(), 2));
        staking::request_unbond(&owner, 0, 1_000);
        staking::convict(key);
        stage::wait(staking::unbond_seconds());
        staking::withdraw(&owner, 0);
    }

    fun initialize_with_supply(amount: u64) {
        let framework = account::create_signer_for_test(@aptos_framework);
        aptos_framework::timestamp::set_time_has_started_for_testing(&framework);
        let owner = vector[@0x1234];
        let (keys, recovery_keys) = (vectors::keys(0), vectors::recovery_keys());
        let publisher = account::create_signer_for_test(@scs);
        genesis::initialize(&publisher, vectors::genesis(), keys, recovery_keys, true, owner, vector[amount], 1, 60, 60);
    }

    #[test]
    /// 1.185... times this is just below 2^64: the most that the schedule leaves room for.
    fun the_largest_supply_starts() { initialize_with_supply(15_559_200_000_000_000_000); }

    #[test, expected_failure(abort_code = 3, location = scs::genesis)] // E_SUPPLY_TOO_LARGE
    fun a_supply_that_would_overflow_does_not() { initialize_with_supply(15_560_000_000_000_000_000); }

    #[test, expected_failure(abort_code = 65540, location = aptos_framework::fungible_asset)] // EINSUFFICIENT_BALANCE
    fun nobody_bonds_all_of_64_bits() {
        let owner = vector::remove(&mut stage::set(), 2);
        staking::stake(&owner, PRODUCER, MAX_U64);
    }

    #[test, expected_failure(abort_code = 6, location = scs::dividends)] // E_PATH_MISMATCH
    fun nobody_claims_all_of_64_bits() {
        let signers = stage::set();
        stage::settle(vectors::batch_1());
        let (head, masters, signatures, value, siblings) = vectors::dividends_1().parts();
        dividends::publish(&anyone(), head, masters, signatures, value, siblings);
        let (index, _, path) = vectors::dividend_claim(1, 0);
        dividends::claim(vector::borrow(&signers, 1), vector[1], vector[index], vector[MAX_U64], vector[path]);
    }
}
