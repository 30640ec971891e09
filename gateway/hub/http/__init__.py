"""What each request of the API needs: operations, problems, authentication, addresses and limits of clients."""
