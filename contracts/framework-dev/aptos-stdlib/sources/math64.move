/// Arithmetic on u64 that doesn't overflow in between.
module aptos_std::math64 {
    use std::error;

    /// Division by zero.
    const EDIVISION_BY_ZERO: u64 = 1;

    public fun max(a: u64, b: u64): u64 {
        if (a >= b) a else b
    }

    public fun min(a: u64, b: u64): u64 {
        if (a < b) a else b
    }

    /// a * b / c, rounded down, exact in between. Aborts if the result is no u64.
    public inline fun mul_div(a: u64, b: u64, c: u64): u64 {
        (((a as u128) * (b as u128) / (c as u128)) as u64)
    }

    public fun pow(n: u64, e: u64): u64 {
        let p = 1;
        while (e > 0) {
            if (e % 2 == 1) p *= n;
            e /= 2;
            if (e > 0) n *= n;
        };
        p
    }

    /// (x - 1) / y + 1 for x > 0: x / y rounded up.
    public fun ceil_div(x: u64, y: u64): u64 {
        assert!(y != 0, error::invalid_argument(EDIVISION_BY_ZERO));
        if (x == 0) 0 else (x - 1) / y + 1
    }

    #[test]
    fun products_are_exact_in_between() {
        assert!(mul_div(18446744073709551615, 7, 7) == 18446744073709551615, 0);
        assert!(pow(10, 8) == 100000000 && pow(2, 63) == 9223372036854775808, 1);
        assert!(ceil_div(7, 2) == 4 && ceil_div(0, 5) == 0 && min(1, 2) == 1 && max(1, 2) == 2, 2);
    }
}
