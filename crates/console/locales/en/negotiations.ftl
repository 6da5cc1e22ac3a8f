negotiations-lead = Every deal on its way to an agreement, and those that ended.
negotiations-none = No negotiations yet
negotiations-none-hint = Choose an offer in <a>a peer’s catalogue</a>, or wait until a peer asks for one of your products.
