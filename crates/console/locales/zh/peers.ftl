peers-never = 从未
