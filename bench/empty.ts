/**
 * The empty program: built like rcron, it is the floor that nothing built this way can be faster than.
 */
