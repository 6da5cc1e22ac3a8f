agreements-lead = Contracts that both sides have signed and hold.
agreements-all = All
agreements-none-such = No agreements are in this state.
agreements-none = No agreements yet
agreements-none-hint = An agreement comes of a negotiation. Begin with an offer in <a>a peer’s catalogue</a>.
