//! Names the sets of system calls that a converter is refused.

/// The system calls that a converter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calls {
    /// Calls that put text into the input of the host's terminal.
    #[default]
    Terminal,
    /// The calls of `Terminal`, and all calls by which a process could leave its sandbox.
    Sandbox,
    /// The calls of `Sandbox`, and every socket.
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
