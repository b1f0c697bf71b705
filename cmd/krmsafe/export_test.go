package main

// Main is main, for scripts that run the test binary as krmsafe.
var Main = main
