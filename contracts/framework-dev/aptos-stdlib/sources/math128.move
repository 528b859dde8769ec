/// Arithmetic on u128 that doesn't overflow in between.
module aptos_std::math128 {
    public fun max(a: u128, b: u128): u128 {
        if (a >= b) a else b
    }

    public fun min(a: u128, b: u128): u128 {
        if (a < b) a else b
    }

    /// a * b / c, rounded down, exact in between. Aborts if the result is no u128.
    public inline fun mul_div(a: u128, b: u128, c: u128): u128 {
        (((a as u256) * (b as u256) / (c as u256)) as u128)
    }

    #[test]
    fun products_are_exact_in_between() {
        let most = 340282366920938463463374607431768211455;
        assert!(mul_div(most, 3, 3) == most && min(1, most) == 1 && max(1, most) == most, 0);
    }
}
