/// The treasury's schedule of minting (rule K7): 8, 5, 3, 1.5 and 0 % a year over five years of chain time, each of the supply at
/// that year's start, evenly over the year. The only right to mint that there is lies here, and no key reaches it: anyone may
/// bring about what is due, nobody more. What is minted waits in the bootstrap pot for the nodes' rewards. Twin of
/// `protocol/src/inflation.ts`.
module scs::inflation {
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, FungibleAsset, MintRef};
    use aptos_framework::timestamp;
    use scs::purse::{Self, Purse};
    use scs::sym;

    /// Nothing is due: less than a base unit since the last time, or the five years are over.
    const E_NOTHING_DUE: u64 = 1;
    /// The pot holds less: mint what is due first, or wait.
    const E_POT_INSUFFICIENT: u64 = 2;

    const YEAR_SECONDS: u64 = 31_536_000;
    const YEARS: u64 = 5;
    const BASIS_POINTS: u128 = 10_000;
    const MAX_U64: u64 = 18_446_744_073_709_551_615;

    struct Schedule has key {
        mint: MintRef,
        pot: Purse,
        started_at: u64,
        genesis_supply: u128,
        minted: u128
    }

    #[event]
    struct Minted has drop, store {
        amount: u64,
        minted: u128
    }

    /// Once, after the genesis supply is minted: that is what the first year's rate is of.
    public(package) fun start(publisher: &signer, mint: MintRef) {
        move_to(
            publisher,
            Schedule {
                mint,
                pot: purse::create(publisher, b"SCS::inflation"),
                started_at: timestamp::now_seconds(),
                genesis_supply: sym::total_supply(),
                minted: 0
            }
        );
    }

    /// Mints what is due by chain time into the bootstrap pot. How often it is called changes nothing.
    public entry fun mint_due(_caller: &signer) acquires Schedule {
        let amount = due();
        assert!(amount > 0, E_NOTHING_DUE);
        let schedule = borrow_global_mut<Schedule>(@scs);
        schedule.minted = schedule.minted + (amount as u128);
        schedule.pot.put(fungible_asset::mint(&schedule.mint, amount));
        event::emit(Minted { amount, minted: schedule.minted });
    }

    /// For node rewards that two masters certified (`settlement::reward_nodes`).
    public(package) fun take(amount: u64): FungibleAsset acquires Schedule {
        let schedule = borrow_global_mut<Schedule>(@scs);
        assert!(amount <= schedule.pot.held(), E_POT_INSUFFICIENT);
        schedule.pot.take(amount)
    }

    #[view]
    /// What `mint_due` would mint now; never more than the pot can count.
    public fun due(): u64 acquires Schedule {
        let s = borrow_global<Schedule>(@scs);
        let amount = minted_by(s.genesis_supply, timestamp::now_seconds() - s.started_at) - s.minted;
        let room = MAX_U64 - s.pot.held();
        if (amount < (room as u128)) (amount as u64) else room
    }

    #[view]
    /// Start in seconds, genesis supply, minted so far, in the pot.
    public fun schedule(): (u64, u128, u128, u64) acquires Schedule {
        let s = borrow_global<Schedule>(@scs);
        (s.started_at, s.genesis_supply, s.minted, s.pot.held())
    }

    #[view]
    /// What lies in the pot's store; never less than what is accounted for.
    public fun stored(): u64 acquires Schedule {
        borrow_global<Schedule>(@scs).pot.balance()
    }

    #[view]
    /// All that the schedule mints in the first `elapsed` seconds. Rounded down once a year: the same by any path.
    public fun minted_by(genesis_supply: u128, elapsed: u64): u128 {
        let (base, minted) = (genesis_supply, 0u128);
        for (year in 0..YEARS) {
            let whole = base * rate(year) / BASIS_POINTS;
            if (elapsed < YEAR_SECONDS) return minted + whole * (elapsed as u128) / (YEAR_SECONDS as u128);
            minted = minted + whole;
            base = base + whole;
            elapsed = elapsed - YEAR_SECONDS;
        };
        minted
    }

    fun rate(year: u64): u128 {
        if (year == 0) 800 else if (year == 1) 500 else if (year == 2) 300 else if (year == 3) 150 else 0
    }
}
