//! A system call, and the arguments it is about.

use std::ffi::c_long;

use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// A call, on its own or only with certain arguments.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    number: i64,
    conditions: Vec<Condition>,
}

/// What is said of an argument's lower 32 bits: all that is looked at here is an `int`, a flag
/// among the lowest, or both.
#[derive(Clone, Copy, Debug)]
struct Condition {
    argument: u8,
    mask: u32,
    value: u32,
}

/// The call, whatever its arguments.
pub(super) const fn call(number: c_long) -> Rule {
    Rule {
        number,
        conditions: Vec::new(),
    }
}

impl Rule {
    /// If the argument of that number, counted from zero, is this.
    pub(super) fn with(self, argument: u8, value: i32) -> Self {
        self.masked(argument, u32::MAX, value.cast_unsigned())
    }

    /// If the argument has all of these flags.
    pub(super) fn with_flags(self, argument: u8, flags: i32) -> Self {
        let flags = flags.cast_unsigned();
        self.masked(argument, flags, flags)
    }

    /// If the argument has none of these flags.
    pub(super) fn without_flags(self, argument: u8, flags: i32) -> Self {
        self.masked(argument, flags.cast_unsigned(), 0)
    }

    /// If these bits of the argument have this value.
    pub(super) fn masked(mut self, argument: u8, mask: u32, value: u32) -> Self {
        self.conditions.push(Condition {
            argument,
            mask,
            value,
        });
        self
    }

    pub(super) const fn number(&self) -> i64 {
        self.number
    }

    pub(super) const fn is_unconditional(&self) -> bool {
        self.conditions.is_empty()
    }

    /// All that must hold; none if nothing must.
    pub(super) fn conditions(&self) -> Result<Option<SeccompRule>, String> {
        if self.is_unconditional() {
            return Ok(None);
        }
        let conditions = self.conditions.iter().map(|condition| {
            SeccompCondition::new(
                condition.argument,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::MaskedEq(condition.mask.into()),
                condition.value.into(),
            )
        });
        let rule = conditions
            .collect::<Result<Vec<_>, _>>()
            .and_then(SeccompRule::new);
        rule.map(Some)
            .map_err(|error| format!("the filter cannot be built: {error}"))
    }
}
