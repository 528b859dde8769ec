/// What actors earned from settled batches and haven't fetched (rules K2, K3): pull payments, one balance an actor. A
/// balance may be owed before the treasury can fund it; a claim pays what is funded and leaves the rest standing.
module scs::rewards {
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::fungible_asset::FungibleAsset;
    use aptos_framework::primary_fungible_store;
    use scs::purse::{Self, Purse};

    /// There is nothing to claim.
    const E_NOTHING_TO_CLAIM: u64 = 1;
    /// The treasury has not funded any of it yet: try again after the next settlement or deposit of a debtor.
    const E_NOT_FUNDED_YET: u64 = 2;

    const MAX_U64: u128 = 18_446_744_073_709_551_615;

    struct Rewards has key {
        purse: Purse,
        /// 128 bits, so that no balance makes a batch fail.
        claimable: Table<address, u128>,
        /// Sum of all claimable balances.
        owed: u128
    }

    #[event]
    struct RewardCredited has drop, store {
        account: address,
        amount: u64
    }

    #[event]
    struct RewardClaimed has drop, store {
        account: address,
        amount: u64
    }

    public(package) fun start(publisher: &signer) {
        move_to(publisher, Rewards { purse: purse::create(publisher, b"SCS::rewards"), claimable: table::new(), owed: 0 });
    }

    public(package) fun credit(account: address, amount: u64) acquires Rewards {
        let rewards = borrow_global_mut<Rewards>(@scs);
        let balance = table::borrow_mut_with_default(&mut rewards.claimable, account, 0);
        *balance = *balance + (amount as u128);
        rewards.owed = rewards.owed + (amount as u128);
        event::emit(RewardCredited { account, amount });
    }

    public(package) fun fund(coins: FungibleAsset) acquires Rewards {
        borrow_global_mut<Rewards>(@scs).purse.put(coins);
    }

    /// Pays the caller's balance, or as much of it as is funded.
    public entry fun claim(account: &signer) acquires Rewards {
        let owner = signer::address_of(account);
        let rewards = borrow_global_mut<Rewards>(@scs);
        let balance = table::borrow_mut_with_default(&mut rewards.claimable, owner, 0);
        assert!(*balance > 0, E_NOTHING_TO_CLAIM);
        let funded = rewards.purse.held();
        assert!(funded > 0, E_NOT_FUNDED_YET);
        let amount = if (*balance < (funded as u128)) (*balance as u64) else funded;
        *balance = *balance - (amount as u128);
        rewards.owed = rewards.owed - (amount as u128);
        primary_fungible_store::deposit(owner, rewards.purse.take(amount));
        event::emit(RewardClaimed { account: owner, amount });
    }

    #[view]
    /// What is beyond 64 bits reads as the most that 64 bits hold.
    public fun claimable(account: address): u64 acquires Rewards {
        let balance = *table::borrow_with_default(&borrow_global<Rewards>(@scs).claimable, account, &0);
        if (balance < MAX_U64) (balance as u64) else (MAX_U64 as u64)
    }

    #[view]
    /// SYM held for claims, and the sum of all claimable balances; the difference is what the treasury still owes.
    public fun totals(): (u64, u128) acquires Rewards {
        let rewards = borrow_global<Rewards>(@scs);
        (rewards.purse.held(), rewards.owed)
    }

    #[view]
    /// What lies in the store; never less than what is accounted for.
    public fun stored(): u64 acquires Rewards {
        borrow_global<Rewards>(@scs).purse.balance()
    }
}
