peers-never = never
