agreements-lead = Contracts that both sides have signed and hold.
agreements-none = No agreements yet
agreements-none-hint = An agreement comes of a negotiation. Begin with an offer in <a>a peer’s catalogue</a>.
