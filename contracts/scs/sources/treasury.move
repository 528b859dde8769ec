/// The treasury (rules P3, K3, K9): reserve and dividend pot. Everything that comes in meets first what rewards and then
/// what dividends are owed; so a batch never fails for one empty escrow, not even with an empty reserve.
module scs::treasury {
    use std::signer;
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, FungibleAsset};
    use aptos_framework::primary_fungible_store;
    use scs::purse::{Self, Purse};
    use scs::rewards;
    use scs::sym;

    /// A donation of nothing.
    const E_ZERO_AMOUNT: u64 = 1;

    struct Treasury has key {
        reserve: Purse,
        dividends: Purse,
        /// Credited by batches, not yet moved to the rewards' purse, or to the dividend pot.
        rewards_owed: u128,
        dividends_owed: u128,
        /// Debts of submitters: charged by batches beyond what their escrow held. A receivable, not part of the supply.
        advanced: u128
    }

    #[event]
    struct TreasuryFunded has drop, store {
        from: address,
        amount: u64
    }

    public(package) fun start(publisher: &signer, reserve: FungibleAsset) {
        let treasury = Treasury {
            reserve: purse::create(publisher, b"SCS::treasury"),
            dividends: purse::create(publisher, b"SCS::dividends"),
            rewards_owed: 0,
            dividends_owed: 0,
            advanced: 0
        };
        treasury.reserve.put(reserve);
        move_to(publisher, treasury);
    }

    /// One batch: `taken` from escrows, `shortfall` charged but not there, and what of both goes to rewards and dividends.
    /// The rest is the treasury's own share.
    public(package) fun settle(
        taken: FungibleAsset, shortfall: u64, credits: u64, dividends: u64
    ) acquires Treasury {
        let treasury = borrow_global_mut<Treasury>(@scs);
        treasury.reserve.put(taken);
        treasury.advanced = treasury.advanced + (shortfall as u128);
        treasury.rewards_owed = treasury.rewards_owed + (credits as u128);
        treasury.dividends_owed = treasury.dividends_owed + (dividends as u128);
        meet_what_is_owed(treasury);
    }

    /// A debtor's deposit comes here first.
    public(package) fun repay(coins: FungibleAsset) acquires Treasury {
        let treasury = borrow_global_mut<Treasury>(@scs);
        treasury.advanced = treasury.advanced - (fungible_asset::amount(&coins) as u128);
        treasury.reserve.put(coins);
        meet_what_is_owed(treasury);
    }

    /// What a slashed bond lost, and what is withheld of dividends.
    public(package) fun forfeit(coins: FungibleAsset) acquires Treasury {
        let treasury = borrow_global_mut<Treasury>(@scs);
        treasury.reserve.put(coins);
        meet_what_is_owed(treasury);
    }

    /// Out of the dividend pot, for `dividends`, which has checked that it is there.
    public(package) fun take_dividends(amount: u64): FungibleAsset acquires Treasury {
        borrow_global_mut<Treasury>(@scs).dividends.take(amount)
    }

    /// Anyone may give to the reserve. Nobody gets it back.
    public entry fun fund(from: &signer, amount: u64) acquires Treasury {
        assert!(amount > 0, E_ZERO_AMOUNT);
        let treasury = borrow_global_mut<Treasury>(@scs);
        treasury.reserve.put(primary_fungible_store::withdraw(from, sym::metadata(), amount));
        meet_what_is_owed(treasury);
        event::emit(TreasuryFunded { from: signer::address_of(from), amount });
    }

    #[view]
    /// Reserve, dividend pot, owed to rewards, owed to the pot, debts of submitters.
    public fun totals(): (u64, u64, u128, u128, u128) acquires Treasury {
        let t = borrow_global<Treasury>(@scs);
        (t.reserve.held(), t.dividends.held(), t.rewards_owed, t.dividends_owed, t.advanced)
    }

    #[view]
    /// What lies in the stores of reserve and pot; never less than what is accounted for.
    public fun stored(): (u64, u64) acquires Treasury {
        let treasury = borrow_global<Treasury>(@scs);
        (treasury.reserve.balance(), treasury.dividends.balance())
    }

    fun meet_what_is_owed(treasury: &mut Treasury) {
        let now = payable(treasury.reserve.held(), treasury.rewards_owed);
        if (now > 0) {
            treasury.rewards_owed = treasury.rewards_owed - (now as u128);
            rewards::fund(treasury.reserve.take(now));
        };
        let now = payable(treasury.reserve.held(), treasury.dividends_owed);
        if (now > 0) {
            treasury.dividends_owed = treasury.dividends_owed - (now as u128);
            let coins = treasury.reserve.take(now);
            treasury.dividends.put(coins);
        };
    }

    fun payable(reserve: u64, owed: u128): u64 {
        if (owed < (reserve as u128)) (owed as u64) else reserve
    }
}
