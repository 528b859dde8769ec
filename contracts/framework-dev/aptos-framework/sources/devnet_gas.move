/// The embedded devnet's own gas coin. It is not APT, exists on no other chain, and has no value. The node takes fees out of
/// `Balance` after each transaction, and writes `Faucet` at genesis.
module aptos_framework::devnet_gas {
    use std::error;
    use std::signer;
    use aptos_framework::account;
    use aptos_framework::event;

    /// Only the devnet's faucet makes gas.
    const ENOT_FAUCET: u64 = 1;
    /// There is less gas than was to be sent.
    const EINSUFFICIENT_GAS: u64 = 2;

    struct Balance has key {
        amount: u64
    }

    struct Faucet has key {
        account: address
    }

    #[event]
    struct Minted has drop, store {
        to: address,
        amount: u64
    }

    #[view]
    public fun balance(owner: address): u64 acquires Balance {
        if (exists<Balance>(owner)) borrow_global<Balance>(owner).amount else 0
    }

    public entry fun mint(faucet: &signer, to: address, amount: u64) acquires Balance, Faucet {
        assert!(signer::address_of(faucet) == borrow_global<Faucet>(@aptos_framework).account, error::permission_denied(ENOT_FAUCET));
        put(to, amount);
        event::emit(Minted { to, amount });
    }

    public entry fun transfer(from: &signer, to: address, amount: u64) acquires Balance {
        let owner = signer::address_of(from);
        assert!(balance(owner) >= amount, error::invalid_argument(EINSUFFICIENT_GAS));
        if (amount > 0) {
            let held = borrow_global_mut<Balance>(owner);
            held.amount -= amount;
        };
        put(to, amount);
    }

    fun put(to: address, amount: u64) acquires Balance {
        account::create_if_missing(to);
        if (!exists<Balance>(to)) move_to(&account::create_signer(to), Balance { amount: 0 });
        let held = borrow_global_mut<Balance>(to);
        held.amount += amount;
    }

    #[test(framework = @aptos_framework, faucet = @0xfa, alice = @0xa11ce)]
    fun gas_is_made_by_the_faucet_and_moves(framework: &signer, faucet: &signer, alice: &signer) acquires Balance, Faucet {
        move_to(framework, Faucet { account: @0xfa });
        mint(faucet, @0xa11ce, 100);
        transfer(alice, @0xb0b, 30);
        assert!(balance(@0xa11ce) == 70 && balance(@0xb0b) == 30, 0);
    }

    #[test(framework = @aptos_framework, alice = @0xa11ce), expected_failure(abort_code = 0x50001, location = Self)]
    fun nobody_else_makes_gas(framework: &signer, alice: &signer) acquires Balance, Faucet {
        move_to(framework, Faucet { account: @0xfa });
        mint(alice, @0xa11ce, 100);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x10002, location = Self)]
    fun gas_is_not_sent_that_is_not_there(alice: &signer) acquires Balance {
        transfer(alice, @0xb0b, 1);
    }
}
