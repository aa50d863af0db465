//! Which calls of the system a converter is refused.

/// The calls of the system that a converter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calls {
    /// Those that put text into the input of the host's terminal.
    #[default]
    Terminal,
    /// Those of `Terminal`, and all by which it would leave its sandbox.
    Sandbox,
    /// Those of `Sandbox`, and every socket.
    SandboxAndNetwork,
}

impl Calls {
    pub(super) const ALL: [Self; 3] = [Self::Terminal, Self::Sandbox, Self::SandboxAndNetwork];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Sandbox => "sandbox",
            Self::SandboxAndNetwork => "network",
        }
    }
}
