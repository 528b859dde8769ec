#[test_only]
/// The attack table of batches (P3, P4), and conservation (K9) on the vectors' batches.
module scs::settlement_tests {
    use std::vector;
    use aptos_framework::account;
    use scs::escrow;
    use scs::genesis;
    use scs::rewards;
    use scs::settlement;
    use scs::stage;
    use scs::sym;
    use scs::treasury;
    use scs::vectors;

    fun deposit_for_both(amount: u64): vector<signer> {
        let signers = stage::set();
        escrow::deposit(vector::borrow(&signers, 0), amount);
        escrow::deposit(vector::borrow(&signers, 1), amount);
        signers
    }

    #[test]
    /// P3: taken from escrows = credits + dividends + treasury; the figures are those of the worked batch in TypeScript.
    fun a_batch_moves_what_it_says() {
        deposit_for_both(5_000_000);
        assert!(settlement::next_number() == 1, 0);
        stage::settle(vectors::batch_1());
        let accounts = vectors::accounts();
        let (alice, _, _, _, _) = escrow::account(*vector::borrow(&accounts, 0));
        let (bob, _, _, _, _) = escrow::account(*vector::borrow(&accounts, 1));
        assert!(alice == 5_000_000 - 900_001 && bob == 5_000_000 - 500_000, 1);
        let (_, dividends, rewards_owed, dividends_owed, advanced) = treasury::totals();
        assert!(dividends == 210_000 && rewards_owed == 0 && dividends_owed == 0 && advanced == 0, 2);
        let (funded, owed) = rewards::totals();
        assert!((funded as u128) == owed && settlement::next_number() == 2, 3);
        stage::check_conservation();
    }

    #[test]
    /// K9 after every step of a sequence with debts, repayments, claims and withdrawals.
    fun conservation_holds_throughout() {
        let signers = deposit_for_both(600_000);
        stage::check_conservation();
        stage::settle(vectors::batch_1());
        stage::check_conservation();
        let (_, _, _, _, debt) = escrow::account(*vector::borrow(&vectors::accounts(), 0));
        assert!(debt == 300_001, 0);
        stage::settle(vectors::batch_2());
        stage::check_conservation();
        for (i in 2..6) {
            rewards::claim(vector::borrow(&signers, i));
            stage::check_conservation();
        };
        escrow::deposit(vector::borrow(&signers, 0), 400_000);
        stage::check_conservation();
        stage::settle(vectors::batch_3());
        stage::check_conservation();
        escrow::request_withdrawal(vector::borrow(&signers, 0), 1_000);
        stage::wait(stage::delay());
        escrow::withdraw(vector::borrow(&signers, 0));
        stage::check_conservation();
        let (_, _, _, _, advanced) = treasury::totals();
        let (_, _, _, _, bob_debt) = escrow::account(*vector::borrow(&vectors::accounts(), 1));
        assert!(advanced == (bob_debt as u128), 1);
    }

    #[test]
    /// P3: not even empty escrows and an empty reserve make a batch fail; claims are paid once a debtor pays.
    fun an_empty_reserve_fails_no_batch() {
        let signers = stage::set_with_reserve(0);
        stage::settle(vectors::batch_1());
        stage::check_conservation();
        let (reserve, _, rewards_owed, dividends_owed, advanced) = treasury::totals();
        assert!(reserve == 0 && advanced == 1_400_001 && dividends_owed == 210_000, 0);
        let worker = *vector::borrow(&vectors::accounts(), 2);
        let earned = rewards::claimable(worker);
        assert!(earned > 0 && rewards_owed > 0, 1);
        escrow::deposit(vector::borrow(&signers, 0), 1_000_000);
        escrow::deposit(vector::borrow(&signers, 1), 500_000);
        rewards::claim(vector::borrow(&signers, 2));
        assert!(sym::balance(worker) == stage::each() + earned && rewards::claimable(worker) == 0, 2);
        let (_, dividends, rewards_owed, dividends_owed, advanced) = treasury::totals();
        assert!(rewards_owed == 0 && dividends_owed == 0 && dividends == 210_000 && advanced == 0, 3);
        stage::check_conservation();
    }

    #[test]
    /// A claim pays what is funded and leaves the rest standing.
    fun a_claim_is_paid_in_part() {
        let signers = stage::set_with_reserve(0);
        stage::settle(vectors::batch_1());
        let worker = *vector::borrow(&vectors::accounts(), 2);
        let earned = rewards::claimable(worker);
        treasury::fund(vector::borrow(&signers, 5), 10);
        rewards::claim(vector::borrow(&signers, 2));
        assert!(rewards::claimable(worker) == earned - 10 && sym::balance(worker) == stage::each() + 10, 0);
        stage::check_conservation();
    }

    #[test, expected_failure(abort_code = 2, location = scs::rewards)] // E_NOT_FUNDED_YET
    fun an_unfunded_claim_says_so() {
        let signers = stage::set_with_reserve(0);
        stage::settle(vectors::batch_1());
        rewards::claim(vector::borrow(&signers, 2));
    }

    #[test, expected_failure(abort_code = 1, location = scs::rewards)] // E_NOTHING_TO_CLAIM
    fun nobody_claims_twice() {
        let signers = deposit_for_both(5_000_000);
        stage::settle(vectors::batch_1());
        rewards::claim(vector::borrow(&signers, 2));
        rewards::claim(vector::borrow(&signers, 2));
    }

    #[test, expected_failure(abort_code = 1, location = scs::rewards)] // E_NOTHING_TO_CLAIM
    fun nobody_claims_what_they_did_not_earn() {
        let signers = deposit_for_both(5_000_000);
        stage::settle(vectors::batch_1());
        rewards::claim(vector::borrow(&signers, 0));
    }

    #[test, expected_failure(abort_code = 1, location = scs::settlement)] // E_ALREADY_SETTLED
    fun replayed() {
        deposit_for_both(5_000_000);
        stage::settle(vectors::batch_1());
        stage::settle(vectors::batch_1());
    }

    #[test, expected_failure(abort_code = 2, location = scs::settlement)] // E_OUT_OF_ORDER
    fun reordered() {
        deposit_for_both(5_000_000);
        stage::settle(vectors::batch_1());
        stage::settle(vectors::batch_3());
    }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun altered() { stage::set(); stage::settle(vectors::altered_batch()); }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun renumbered() { stage::set(); stage::settle(vectors::renumbered_batch()); }

    #[test, expected_failure(abort_code = 7, location = scs::committee)] // E_PATH_MISMATCH
    fun with_a_wrong_path() { stage::set(); stage::settle(vectors::wrong_path()); }

    #[test, expected_failure(abort_code = 3, location = scs::settlement)] // E_SUMS_DIFFER
    fun sums_differ() { stage::set(); stage::settle(vectors::sums_differ()); }

    #[test, expected_failure(abort_code = 4, location = scs::settlement)] // E_TRANSFERS_NOT_ORDERED
    fun debits_descend() { stage::set(); stage::settle(vectors::debits_descend()); }

    #[test, expected_failure(abort_code = 4, location = scs::settlement)] // E_TRANSFERS_NOT_ORDERED
    fun credit_twice() { stage::set(); stage::settle(vectors::credit_twice()); }

    #[test, expected_failure(abort_code = 5, location = scs::settlement)] // E_ZERO_AMOUNT
    fun zero_debit() { stage::set(); stage::settle(vectors::zero_debit()); }

    #[test, expected_failure(abort_code = 6, location = scs::settlement)] // E_TOO_MANY
    fun no_task() { stage::set(); stage::settle(vectors::no_task()); }

    #[test, expected_failure(abort_code = 6, location = scs::settlement)] // E_TOO_MANY
    fun too_many_tasks() { stage::set(); stage::settle(vectors::too_many_tasks()); }

    #[test, expected_failure(abort_code = 2, location = scs::reader)] // E_TOO_MANY
    fun too_many_debits() { stage::set(); stage::settle(vectors::too_many_debits()); }

    #[test, expected_failure(abort_code = 2, location = scs::reader)] // E_TOO_MANY
    fun too_many_credits() { stage::set(); stage::settle(vectors::too_many_credits()); }

    #[test, expected_failure(abort_code = 8, location = scs::settlement)] // E_AMOUNT_OVERFLOW
    fun overflow() { stage::set(); stage::settle(vectors::overflow()); }

    #[test, expected_failure(abort_code = 1, location = scs::reader)] // E_MALFORMED
    fun trailing_byte() { stage::set(); stage::settle(vectors::trailing_byte()); }

    #[test, expected_failure(abort_code = 1, location = scs::reader)] // E_MALFORMED
    fun cut_short() { stage::set(); stage::settle(vectors::cut_short()); }

    #[test]
    fun a_settled_batch_can_be_read() {
        deposit_for_both(5_000_000);
        stage::settle(vectors::batch_1());
        let (root, count, epoch) = settlement::batch(1);
        assert!(vector::length(&root) == 32 && count == 3 && epoch == 1, 0);
        assert!(!settlement::proves_task(1, 0, b"no such task", vector[]), 1);
        let (submitter, _) = settlement::submission(1);
        let (next, balances, withdrawing, expiries, debts) = settlement::observe(vectors::accounts());
        assert!(submitter == @0xca11e5 && next == 2, 2);
        assert!(balances == vector[5_000_000 - 900_001, 5_000_000 - 500_000, 0, 0, 0, 0], 3);
        assert!(withdrawing == debts && expiries == debts && vector::length(&debts) == 6, 4);
    }

    #[test, expected_failure(abort_code = 7, location = scs::settlement)] // E_UNKNOWN_BATCH
    fun an_unsettled_batch_cannot() { stage::set(); settlement::batch(1); }

    #[test]
    /// K7: the whole supply is there at genesis, and it is what genesis says.
    fun supply_is_fixed_at_genesis() {
        stage::set();
        let (total, escrow, rewards, reserve, dividends, staked, pot) = settlement::supply();
        assert!(total == ((6 * stage::each() + stage::reserve()) as u128) && reserve == stage::reserve(), 0);
        assert!(escrow == 0 && rewards == 0 && dividends == 0 && staked == 0 && pot == 0, 1);
    }

    #[test, expected_failure(abort_code = 1, location = scs::genesis)] // E_BAD_ALLOCATIONS
    fun one_amount_an_account() {
        genesis::initialize(
            &account::create_signer_for_test(@scs),
            vectors::genesis(),
            vectors::keys(0),
            vectors::recovery_keys(),
            true,
            vectors::accounts(),
            vector[1],
            1,
            60,
            60
        );
    }

    #[test, expected_failure(abort_code = 1, location = scs::treasury)] // E_ZERO_AMOUNT
    fun no_donation_of_nothing() {
        let signers = stage::set();
        treasury::fund(vector::borrow(&signers, 0), 0);
    }
}
