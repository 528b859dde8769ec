/// Submitters' prefunded balances (rules K2, P3). Only settled batches take from them. The owner needs nobody's consent to
/// leave: what a withdrawal names is not lockable at once, ripens after a delay longer than any task, and expires unused.
///
///     none --request--> pending --delay--> ripe --withdraw--> none
///                          |                 |--window--> expired (counts as none)
///                          `------cancel-----'
module scs::escrow {
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, FungibleAsset};
    use aptos_framework::primary_fungible_store;
    use aptos_framework::timestamp;
    use scs::purse::{Self, Purse};
    use scs::sym;
    use scs::treasury;

    /// An amount of nothing.
    const E_ZERO_AMOUNT: u64 = 1;
    /// EscrowInsufficient: the escrow holds less than is asked for.
    const E_ESCROW_INSUFFICIENT: u64 = 2;
    /// A withdrawal is under way: cancel it first.
    const E_WITHDRAWAL_PENDING: u64 = 3;
    /// No withdrawal was requested, or it expired, or batches took all of it.
    const E_NO_WITHDRAWAL: u64 = 4;
    /// The delay since the request isn't over.
    const E_WITHDRAWAL_NOT_RIPE: u64 = 5;
    /// The delay must be between one second and a year; so must the window.
    const E_BAD_DELAY: u64 = 6;

    const MAX_SECONDS: u64 = 31_536_000;
    const MAX_U64: u128 = 18_446_744_073_709_551_615;

    struct Escrows has key {
        purse: Purse,
        accounts: Table<address, Account>,
        delay_seconds: u64,
        window_seconds: u64
    }

    /// `withdrawing` is the part of `balance` that a live request names. Debt only ever beside an empty balance: deposits
    /// repay first.
    struct Account has copy, drop, store {
        balance: u64,
        withdrawing: u64,
        ripens_at: u64,
        expires_at: u64,
        /// 128 bits, so that no debt makes a batch fail.
        debt: u128
    }

    #[event]
    struct Deposited has drop, store {
        account: address,
        amount: u64,
        repaid: u64
    }

    #[event]
    struct WithdrawalRequested has drop, store {
        account: address,
        amount: u64,
        ripens_at: u64,
        expires_at: u64
    }

    #[event]
    struct WithdrawalCancelled has drop, store {
        account: address
    }

    #[event]
    struct Withdrawn has drop, store {
        account: address,
        amount: u64
    }

    #[event]
    struct Charged has drop, store {
        account: address,
        taken: u64,
        advanced: u64
    }

    public(package) fun start(publisher: &signer, delay_seconds: u64, window_seconds: u64) {
        assert!(delay_seconds >= 1 && delay_seconds <= MAX_SECONDS, E_BAD_DELAY);
        assert!(window_seconds >= 1 && window_seconds <= MAX_SECONDS, E_BAD_DELAY);
        move_to(
            publisher,
            Escrows { purse: purse::create(publisher, b"SCS::escrow"), accounts: table::new(), delay_seconds, window_seconds }
        );
    }

    /// Moves SYM into the caller's escrow; a debt is repaid first.
    public entry fun deposit(owner: &signer, amount: u64) acquires Escrows {
        assert!(amount > 0, E_ZERO_AMOUNT);
        let address = signer::address_of(owner);
        let coins = primary_fungible_store::withdraw(owner, sym::metadata(), amount);
        let escrows = borrow_global_mut<Escrows>(@scs);
        let account = account_mut(&mut escrows.accounts, address);
        let repaid = min(readable(account.debt), amount);
        account.debt = account.debt - (repaid as u128);
        account.balance = account.balance + (amount - repaid);
        if (repaid > 0) treasury::repay(fungible_asset::extract(&mut coins, repaid));
        escrows.purse.put(coins);
        event::emit(Deposited { account: address, amount, repaid });
    }

    /// From now on `amount` can't be locked by new tasks; in `delay_seconds` it may be withdrawn.
    public entry fun request_withdrawal(owner: &signer, amount: u64) acquires Escrows {
        assert!(amount > 0, E_ZERO_AMOUNT);
        let address = signer::address_of(owner);
        let now = timestamp::now_seconds();
        let escrows = borrow_global_mut<Escrows>(@scs);
        let ripens_at = now + escrows.delay_seconds;
        let expires_at = ripens_at + escrows.window_seconds;
        let account = account_mut(&mut escrows.accounts, address);
        forget_expired(account, now);
        assert!(account.withdrawing == 0, E_WITHDRAWAL_PENDING);
        assert!(amount <= account.balance, E_ESCROW_INSUFFICIENT);
        account.withdrawing = amount;
        account.ripens_at = ripens_at;
        account.expires_at = expires_at;
        event::emit(WithdrawalRequested { account: address, amount, ripens_at, expires_at });
    }

    /// Pays what the ripe request names, less what batches took of it meanwhile.
    public entry fun withdraw(owner: &signer) acquires Escrows {
        let address = signer::address_of(owner);
        let now = timestamp::now_seconds();
        let escrows = borrow_global_mut<Escrows>(@scs);
        let account = account_mut(&mut escrows.accounts, address);
        forget_expired(account, now);
        let amount = account.withdrawing;
        assert!(amount > 0, E_NO_WITHDRAWAL);
        assert!(now >= account.ripens_at, E_WITHDRAWAL_NOT_RIPE);
        account.balance = account.balance - amount;
        clear_request(account);
        primary_fungible_store::deposit(address, escrows.purse.take(amount));
        event::emit(Withdrawn { account: address, amount });
    }

    /// Ends the request; the amount is lockable again.
    public entry fun cancel_withdrawal(owner: &signer) acquires Escrows {
        let address = signer::address_of(owner);
        let account = account_mut(&mut borrow_global_mut<Escrows>(@scs).accounts, address);
        forget_expired(account, timestamp::now_seconds());
        assert!(account.withdrawing > 0, E_NO_WITHDRAWAL);
        clear_request(account);
        event::emit(WithdrawalCancelled { account: address });
    }

    /// Charges up to `amount` for a settled batch; what isn't there becomes debt. Returns what was taken and the shortfall.
    /// Never aborts for the state of the account. The caller fetches the coins of all charges by `release`.
    public(package) fun charge(address: address, amount: u64): (u64, u64) acquires Escrows {
        let account = account_mut(&mut borrow_global_mut<Escrows>(@scs).accounts, address);
        let taken = min(account.balance, amount);
        let shortfall = amount - taken;
        account.balance = account.balance - taken;
        account.debt = account.debt + (shortfall as u128);
        account.withdrawing = min(account.withdrawing, account.balance);
        if (account.withdrawing == 0) clear_request(account);
        event::emit(Charged { account: address, taken, advanced: shortfall });
        (taken, shortfall)
    }

    /// The coins that `charge` took, once for all of a batch.
    public(package) fun release(taken: u64): FungibleAsset acquires Escrows {
        borrow_global_mut<Escrows>(@scs).purse.take(taken)
    }

    #[view]
    /// Balance, part of it under withdrawal, when that ripens and expires (chain time in seconds, 0 = none), debt.
    public fun account(address: address): (u64, u64, u64, u64, u64) acquires Escrows {
        let accounts = &borrow_global<Escrows>(@scs).accounts;
        if (!table::contains(accounts, address)) return (0, 0, 0, 0, 0);
        let account = *table::borrow(accounts, address);
        forget_expired(&mut account, timestamp::now_seconds());
        (account.balance, account.withdrawing, account.ripens_at, account.expires_at, readable(account.debt))
    }

    /// Balance, part under a request (expired or not), when that expires, debt: the same at every reading of one version.
    public(package) fun standing(address: address): (u64, u64, u64, u64) acquires Escrows {
        let accounts = &borrow_global<Escrows>(@scs).accounts;
        if (!table::contains(accounts, address)) return (0, 0, 0, 0);
        let account = table::borrow(accounts, address);
        (account.balance, account.withdrawing, account.expires_at, readable(account.debt))
    }

    #[view]
    /// Delay and window of withdrawals, in seconds.
    public fun terms(): (u64, u64) acquires Escrows {
        let escrows = borrow_global<Escrows>(@scs);
        (escrows.delay_seconds, escrows.window_seconds)
    }

    #[view]
    /// Sum of all balances.
    public fun total(): u64 acquires Escrows {
        borrow_global<Escrows>(@scs).purse.held()
    }

    #[view]
    /// What lies in the store; never less than what is accounted for.
    public fun stored(): u64 acquires Escrows {
        borrow_global<Escrows>(@scs).purse.balance()
    }

    fun account_mut(accounts: &mut Table<address, Account>, address: address): &mut Account {
        table::borrow_mut_with_default(
            accounts, address, Account { balance: 0, withdrawing: 0, ripens_at: 0, expires_at: 0, debt: 0 }
        )
    }

    fun forget_expired(account: &mut Account, now: u64) {
        if (account.withdrawing > 0 && now >= account.expires_at) clear_request(account);
    }

    fun clear_request(account: &mut Account) {
        account.withdrawing = 0;
        account.ripens_at = 0;
        account.expires_at = 0;
    }

    /// What is beyond 64 bits reads as the most that 64 bits hold.
    fun readable(debt: u128): u64 {
        if (debt < MAX_U64) (debt as u64) else (MAX_U64 as u64)
    }

    fun min(a: u64, b: u64): u64 {
        if (a < b) a else b
    }
}
