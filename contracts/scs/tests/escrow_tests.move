#[test_only]
/// Deposits and withdrawals (K2): nobody's consent is needed to leave, and nobody leaves early.
module scs::escrow_tests {
    use std::vector;
    use aptos_framework::account;
    use aptos_framework::fungible_asset;
    use aptos_framework::primary_fungible_store;
    use scs::escrow;
    use scs::genesis;
    use scs::stage;
    use scs::sym;
    use scs::treasury;
    use scs::vectors;

    fun alice(): (signer, address) {
        let signers = stage::set();
        let owner = vector::remove(&mut signers, 0);
        (owner, *vector::borrow(&vectors::accounts(), 0))
    }

    fun charge(address: address, amount: u64): u64 {
        let (taken, shortfall) = escrow::charge(address, amount);
        treasury::settle(escrow::release(taken), shortfall, 0, 0);
        shortfall
    }

    #[test]
    fun all_of_it_comes_back_after_the_delay() {
        let (owner, address) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 500);
        let (balance, withdrawing, ripens_at, expires_at, debt) = escrow::account(address);
        assert!(balance == 500 && withdrawing == 500 && debt == 0, 0);
        assert!(expires_at == ripens_at + stage::window(), 1);
        stage::wait(stage::delay());
        escrow::withdraw(&owner);
        assert!(sym::balance(address) == stage::each(), 2);
        let (balance, withdrawing, ripens_at, expires_at, _) = escrow::account(address);
        assert!(balance == 0 && withdrawing == 0 && ripens_at == 0 && expires_at == 0, 3);
        stage::check_conservation();
    }

    #[test, expected_failure(abort_code = 5, location = scs::escrow)] // E_WITHDRAWAL_NOT_RIPE
    fun not_a_second_early() {
        let (owner, _) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 500);
        stage::wait(stage::delay() - 1);
        escrow::withdraw(&owner);
    }

    #[test, expected_failure(abort_code = 4, location = scs::escrow)] // E_NO_WITHDRAWAL
    fun an_unused_request_expires() {
        let (owner, _) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 500);
        stage::wait(stage::delay() + stage::window());
        escrow::withdraw(&owner);
    }

    #[test]
    /// K2: nobody keeps a withdrawal ripe: what expired is lockable, and a new request waits in full.
    fun an_expired_request_counts_as_none() {
        let (owner, address) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 200);
        stage::wait(stage::delay() + stage::window());
        let (balance, withdrawing, ripens_at, _, _) = escrow::account(address);
        assert!(balance == 500 && withdrawing == 0 && ripens_at == 0, 0);
        escrow::request_withdrawal(&owner, 500);
        stage::wait(stage::delay());
        escrow::withdraw(&owner);
        assert!(sym::balance(address) == stage::each(), 1);
    }

    #[test, expected_failure(abort_code = 3, location = scs::escrow)] // E_WITHDRAWAL_PENDING
    fun a_ripe_request_is_not_enlarged() {
        let (owner, _) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 1);
        stage::wait(stage::delay());
        escrow::request_withdrawal(&owner, 500);
    }

    #[test, expected_failure(abort_code = 4, location = scs::escrow)] // E_NO_WITHDRAWAL
    fun a_cancelled_request_is_gone() {
        let (owner, address) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 300);
        escrow::cancel_withdrawal(&owner);
        let (balance, withdrawing, _, _, _) = escrow::account(address);
        assert!(balance == 500 && withdrawing == 0, 0);
        stage::wait(stage::delay());
        escrow::withdraw(&owner);
    }

    #[test, expected_failure(abort_code = 4, location = scs::escrow)] // E_NO_WITHDRAWAL
    fun nothing_to_cancel() { let (owner, _) = alice(); escrow::cancel_withdrawal(&owner); }

    #[test, expected_failure(abort_code = 2, location = scs::escrow)] // E_ESCROW_INSUFFICIENT
    fun no_more_than_the_balance() {
        let (owner, _) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 501);
    }

    #[test, expected_failure(abort_code = 1, location = scs::escrow)] // E_ZERO_AMOUNT
    fun no_deposit_of_nothing() { let (owner, _) = alice(); escrow::deposit(&owner, 0); }

    #[test, expected_failure(abort_code = 1, location = scs::escrow)] // E_ZERO_AMOUNT
    fun no_withdrawal_of_nothing() { let (owner, _) = alice(); escrow::request_withdrawal(&owner, 0); }

    #[test, expected_failure(abort_code = 65540, location = aptos_framework::fungible_asset)]
    fun no_deposit_beyond_what_one_has() { let (owner, _) = alice(); escrow::deposit(&owner, stage::each() + 1); }

    #[test]
    /// P3: a charge during a withdrawal comes first; the withdrawal pays what is left.
    fun a_charge_eats_into_a_withdrawal() {
        let (owner, address) = alice();
        escrow::deposit(&owner, 500);
        escrow::request_withdrawal(&owner, 500);
        assert!(charge(address, 450) == 0, 0);
        let (balance, withdrawing, _, _, _) = escrow::account(address);
        assert!(balance == 50 && withdrawing == 50, 1);
        stage::wait(stage::delay());
        escrow::withdraw(&owner);
        assert!(sym::balance(address) == stage::each() - 450, 2);
        stage::check_conservation();
    }

    #[test]
    /// P3: a shortfall is a debt, which the next deposit repays before anything else.
    fun a_deposit_repays_the_debt_first() {
        let (owner, address) = alice();
        escrow::deposit(&owner, 100);
        assert!(charge(address, 160) == 60, 0);
        let (balance, _, _, _, debt) = escrow::account(address);
        assert!(balance == 0 && debt == 60, 1);
        escrow::deposit(&owner, 50);
        let (balance, _, _, _, debt) = escrow::account(address);
        assert!(balance == 0 && debt == 10, 2);
        escrow::deposit(&owner, 50);
        let (balance, _, _, _, debt) = escrow::account(address);
        let (reserve, _, _, _, advanced) = treasury::totals();
        assert!(balance == 40 && debt == 0 && advanced == 0 && reserve == stage::reserve() + 160, 3);
        stage::check_conservation();
    }

    #[test]
    /// The publisher owns none of the objects in which the money lies.
    fun gifts_to_a_store_change_no_account() {
        let (owner, address) = alice();
        let metadata = sym::metadata();
        escrow::deposit(&owner, 100);
        primary_fungible_store::transfer(&owner, metadata, escrow_home(), 7);
        assert!(escrow::total() == 100 && escrow::stored() == 107, 0);
        let (balance, _, _, _, _) = escrow::account(address);
        assert!(balance == 100, 1);
    }

    #[test, expected_failure(abort_code = 327688, location = aptos_framework::fungible_asset)] // ENOT_STORE_OWNER
    /// Whoever owns an object may withdraw from the stores beneath it: so the publisher must own none (no admin key).
    fun the_publisher_cannot_reach_the_money() {
        let (owner, _) = alice();
        escrow::deposit(&owner, 100);
        let store = primary_fungible_store::primary_store(escrow_home(), sym::metadata());
        let loot = fungible_asset::withdraw(&account::create_signer_for_test(@scs), store, 1);
        primary_fungible_store::deposit(@scs, loot);
    }

    fun escrow_home(): address {
        aptos_framework::object::create_object_address(&@scs, b"SCS::escrow")
    }

    #[test, expected_failure(abort_code = 6, location = scs::escrow)] // E_BAD_DELAY
    fun a_withdrawal_has_a_delay() {
        genesis::initialize(
            &account::create_signer_for_test(@scs),
            vectors::genesis(),
            vectors::keys(0),
            vectors::recovery_keys(),
            false,
            vector[],
            vector[],
            1,
            0,
            60
        );
    }
}
